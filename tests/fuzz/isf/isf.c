/* BTF as the symbol table for Volatility: whatever it is, the document is JSON, of bounded size,
 * and every type that it refers to is in it. */
#include "tests/fuzz/fuzz.h"

#include "parsers/linux/isf.h"

#include <json-glib/json-glib.h>

#define LIMIT (256u << 10)
#define ENTRY                                                                                      \
  32768u /* what is begun is ended: a descriptor, with the longest names, and brackets */

static void check_value(JsonObject *tables, JsonNode *node);

static void
check_member(JsonObject *object, const char *name, JsonNode *node, void *data)
{
  (void)object;
  (void)name;
  check_value(data, node);
}

static const char *
table_of(const char *kind)
{
  if (strcmp(kind, "base") == 0)
    return "base_types";
  if (strcmp(kind, "enum") == 0)
    return "enums";
  return strcmp(kind, "struct") == 0 || strcmp(kind, "union") == 0 ? "user_types" : NULL;
}

static bool
is_text(JsonNode *node)
{
  return node && JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_STRING;
}

/* An object with a kind and a name is a reference. */
static void
check_value(JsonObject *tables, JsonNode *node)
{
  if (!JSON_NODE_HOLDS_OBJECT(node))
    return;
  JsonObject *object = json_node_get_object(node);
  JsonNode *kind = json_object_get_member(object, "kind");
  JsonNode *name = json_object_get_member(object, "name");

  if (is_text(kind) && is_text(name)) {
    const char *table = table_of(json_node_get_string(kind));

    g_assert_nonnull(table);
    g_assert_true(json_object_has_member(json_object_get_object_member(tables, table),
                                         json_node_get_string(name)));
  } else {
    json_object_foreach_member(object, check_member, tables);
  }
}

static void
check_document(const GString *out, bool is_full)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(JsonNode) root = json_from_string(out->str, &error);

  g_assert_no_error(error);
  g_assert_true(JSON_NODE_HOLDS_OBJECT(root) && g_str_is_ascii(out->str));
  g_assert_cmpuint(out->len, <=, LIMIT + ENTRY);
  if (!is_full)
    check_value(json_node_get_object(root), root);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  const DacsaIsfSymbols symbols = {0};
  g_autoptr(DacsaTypes) types = NULL;
  g_autoptr(GString) out = g_string_new(NULL);
  g_auto(DacsaIsf) isf = {0};

  if (!dacsa_types_new(data, size, &types, NULL))
    return 0;
  g_autoptr(DacsaIsfNames) names = dacsa_isf_names_new(types);
  dacsa_isf_init(&isf, types, names, out, LIMIT);
  dacsa_json_open(&isf.json);
  dacsa_isf_write_types(&isf);
  dacsa_isf_write_symbols(&isf, &symbols);
  dacsa_json_close(&isf.json);
  check_document(out, dacsa_json_is_full(&isf.json));
  return 0;
}
