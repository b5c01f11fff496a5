/* Signatures and rules against bytes, with real libclamav and libyara on small databases. */
#include "check.h"
#include "fake-dir.h"

#include "parsers/scan/engine.h"
#include "parsers/scratch.h"

#include <glib/gstdio.h>
#include <gio/gio.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yara.h>

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)
#define MARKER "dacsa-unit-test-marker-0123456789"
#define OTHER "another-pattern-of-the-unit-test"

typedef struct {
  char *dir;
  char *tmp; /* libclamav's; to be empty at the end */
} Place;

static void
place_init(Place *p)
{
  p->dir = fake_dir_new();
  p->tmp = g_build_filename(p->dir, "tmp", NULL);
  g_assert_cmpint(g_mkdir(p->tmp, 0700), ==, 0);
}

static void
place_clear(Place *p)
{
  g_assert_cmpint(g_rmdir(p->tmp), ==, 0); /* libclamav left nothing in it */
  fake_dir_free(p->dir);
  g_free(p->tmp);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Place, place_clear)

/* A file in the place; its path, owned. */
static char *
put(const Place *p, const char *name, const char *format, ...)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *path = g_build_filename(p->dir, name, NULL);
  va_list args;

  va_start(args, format);
  g_autofree char *text = g_strdup_vprintf(format, args);
  va_end(args);
  g_file_set_contents(path, text, -1, &error);
  g_assert_no_error(error);
  return g_steal_pointer(&path);
}

static char *
hex(const char *text)
{
  GString *s = g_string_new(NULL);

  for (; *text; text++)
    g_string_append_printf(s, "%02x", (unsigned char)*text);
  return g_string_free(s, false);
}

/* A database with the marker as a body signature; its path, owned. */
static char *
put_marker(const Place *p)
{
  g_autofree char *digits = hex(MARKER);

  return put(p, "marker.ndb", "Test.Marker:0:*:%s\n", digits);
}

static DacsaScanEngine *
load(const Place *p, const char *database, const char *rules)
{
  g_autoptr(GError) error = NULL;
  const char *databases[] = {database, NULL}, *files[] = {rules, NULL};
  DacsaScanOptions options = {database ? databases : NULL, rules ? files : NULL, p->tmp};
  DacsaScanEngine *engine = NULL;

  CHECK_OK(dacsa_scan_engine_load(&options, &engine, &error), error);
  return engine;
}

/* Zeros would match nothing quickly; this is cheap and looks like data. Freed with g_free. */
static uint8_t *
noise(size_t len)
{
  uint8_t *data = (uint8_t *)dacsa_scratch_new(len);
  uint32_t x = 12345;

  for (size_t i = 0; i < len; i++) {
    x = x * 1664525u + 1013904223u;
    data[i] = (uint8_t)(x >> 24);
  }
  return data;
}

static void
plant(uint8_t *data, size_t at, const char *text)
{
  memcpy(data + at, text, strlen(text));
}

static GArray *
match(DacsaScanEngine *engine, const void *data, size_t len, bool expect_more)
{
  g_autoptr(GError) error = NULL;
  GArray *matches = NULL;
  bool more = !expect_more;

  CHECK_OK(dacsa_scan_engine_memory(engine, data, len, &matches, &more, &error), error);
  g_assert_cmpint(more, ==, expect_more);
  return matches;
}

static void
check_match(const GArray *matches, guint i, size_t start, size_t len, const char *signature)
{
  g_assert_cmpuint(matches->len, >, i);
  const DacsaScanMatch *m = &g_array_index(matches, DacsaScanMatch, i);
  g_assert_cmpstr(m->signature, ==, signature);
  g_assert_cmpuint(m->start, ==, start);
  g_assert_cmpuint(m->end, ==, start + len);
}

/* --- places --- */

/* At the very start, the very end, and across every border that the search for it has. */
static void
test_places(void)
{
  static const size_t at[] = {0, 4096 - 10, MIB / 8 - 10, MIB / 2 - 10, MIB - strlen(MARKER)};
  g_auto(Place) p;
  g_autofree uint8_t *clean = noise(MIB);
  g_autofree uint8_t *data = (uint8_t *)g_malloc(MIB);

  place_init(&p);
  g_autofree char *db = put_marker(&p);
  g_autoptr(DacsaScanEngine) engine = load(&p, db, NULL);
  g_assert_cmpuint(dacsa_scan_engine_signatures(engine), ==, 1);
  g_autoptr(GArray) none = match(engine, clean, MIB, false);
  g_assert_cmpuint(none->len, ==, 0);
  for (size_t i = 0; i < G_N_ELEMENTS(at); i++) {
    memcpy(data, clean, MIB);
    plant(data, at[i], MARKER);
    g_autoptr(GArray) found = match(engine, data, MIB, false);
    g_assert_cmpuint(found->len, ==, 1);
    check_match(found, 0, at[i], strlen(MARKER), "Test.Marker.UNOFFICIAL");
  }
}

static void
test_several(void)
{
  g_auto(Place) p;
  g_autofree uint8_t *data = noise(MIB);
  g_autofree char *marker = hex(MARKER);
  g_autofree char *other = hex(OTHER);

  place_init(&p);
  g_autofree char *db =
      put(&p, "two.ndb", "Test.Marker:0:*:%s\nTest.Other:0:*:%s\nTest.Part:0:*:%.30s\n", marker,
          other, other);
  g_autoptr(DacsaScanEngine) engine = load(&p, db, NULL);
  plant(data, 5000, MARKER);
  plant(data, 5000 + strlen(MARKER), OTHER);
  plant(data, 700000, MARKER);
  g_autoptr(GArray) found = match(engine, data, MIB, false);
  g_assert_cmpuint(found->len, ==, 4);
  check_match(found, 0, 5000, strlen(MARKER), "Test.Marker.UNOFFICIAL");
  check_match(found, 1, 5000 + strlen(MARKER), 15, "Test.Part.UNOFFICIAL");
  check_match(found, 2, 5000 + strlen(MARKER), strlen(OTHER), "Test.Other.UNOFFICIAL");
  check_match(found, 3, 700000, strlen(MARKER), "Test.Marker.UNOFFICIAL");
}

static void
test_many(void)
{
  g_auto(Place) p;
  g_autofree uint8_t *data = noise(MIB);

  place_init(&p);
  g_autofree char *db = put_marker(&p);
  g_autoptr(DacsaScanEngine) engine = load(&p, db, NULL);
  for (size_t i = 0; i < 300; i++)
    plant(data, i * 3000 + 1, MARKER);
  g_autoptr(GArray) found = match(engine, data, MIB, true);
  g_assert_cmpuint(found->len, ==, 256);
  for (guint i = 0; i < found->len; i++)
    check_match(found, i, i * 3000 + 1, strlen(MARKER), "Test.Marker.UNOFFICIAL");
}

/* A memory full of signatures: each is named, be it without its place. */
static void
test_all_signatures(void)
{
  const guint count = 600;
  g_auto(Place) p;
  g_autofree uint8_t *data = noise(16 * KIB);
  g_autoptr(GString) text = g_string_new(NULL);
  g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);

  place_init(&p);
  for (guint i = 0; i < count; i++) {
    g_autofree char *pattern = g_strdup_printf("dacsa%04u-unit", i);
    g_autofree char *digits = hex(pattern);

    plant(data, i * 24, pattern);
    g_string_append_printf(text, "Test.All-%u:0:*:%s\n", i, digits);
  }
  g_autofree char *db = put(&p, "all.ndb", "%s", text->str);
  g_autoptr(DacsaScanEngine) engine = load(&p, db, NULL);
  g_autoptr(GArray) found = match(engine, data, 16 * KIB, true);
  g_assert_cmpuint(found->len, ==, count);
  for (guint i = 0; i < count; i++)
    g_hash_table_add(names, g_array_index(found, DacsaScanMatch, i).signature);
  g_assert_cmpuint(g_hash_table_size(names), ==, count);
}

/* Parts of one logical signature: near each other, and far. */
static void
test_logical(void)
{
  g_auto(Place) p;
  g_autofree uint8_t *data = noise(2 * MIB);
  g_autofree char *marker = hex(MARKER);
  g_autofree char *other = hex(OTHER);

  place_init(&p);
  g_autofree char *db = put(&p, "logical.ldb", "Test.Logical;Target:0;0&1;%s;%s\n", marker, other);
  g_autoptr(DacsaScanEngine) engine = load(&p, db, NULL);
  plant(data, 100000, MARKER);
  g_autoptr(GArray) none = match(engine, data, 2 * MIB, false);
  g_assert_cmpuint(none->len, ==, 0);
  plant(data, 101000, OTHER);
  g_autoptr(GArray) near = match(engine, data, 2 * MIB, false);
  g_assert_cmpuint(near->len, ==, 1);
  check_match(near, 0, 100000, 1000 + strlen(OTHER), "Test.Logical.UNOFFICIAL");
  memset(data + 101000, 'x', strlen(OTHER));
  plant(data, 1900000, OTHER);
  g_autoptr(GArray) far = match(engine, data, 2 * MIB, false);
  g_assert_cmpuint(far->len, ==, 1);
  const DacsaScanMatch *m = &g_array_index(far, DacsaScanMatch, 0);
  g_assert_cmpuint(m->start, <=, 100000);
  g_assert_cmpuint(m->end, >=, 1900000 + strlen(OTHER));
}

static void
test_tiny(void)
{
  g_auto(Place) p;
  uint8_t data[4] = {0};

  place_init(&p);
  g_autofree char *db = put_marker(&p);
  g_autoptr(DacsaScanEngine) engine = load(&p, db, NULL);
  for (size_t len = 0; len <= sizeof(data); len++) {
    g_autoptr(GArray) none = match(engine, data, len, false);
    g_assert_cmpuint(none->len, ==, 0);
  }
}

/* The test file of the antivirus makers, put together here so that this one is none. */
static void
test_eicar(void)
{
  g_auto(Place) p;
  g_autofree char *eicar = g_strconcat("X5O!P%@AP[4\\PZX54(P^)7CC)7}$",
                                       "EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*", NULL);
  g_autofree char *digits = hex(eicar);
  g_autofree char *md5 = g_compute_checksum_for_string(G_CHECKSUM_MD5, eicar, -1);
  g_autofree uint8_t *data = noise(MIB);

  place_init(&p);
  g_autofree char *body = put(&p, "eicar.ndb", "Eicar-Test-Body:0:*:%s\n", digits);
  g_autofree char *hash = put(&p, "eicar.hdb", "%s:%zu:Eicar-Test-Hash\n", md5, strlen(eicar));
  const char *databases[] = {body, hash, NULL};
  DacsaScanOptions options = {databases, NULL, p.tmp};
  g_autoptr(GError) error = NULL;
  g_autoptr(DacsaScanEngine) engine = NULL;
  CHECK_OK(dacsa_scan_engine_load(&options, &engine, &error), error);
  g_assert_cmpuint(dacsa_scan_engine_signatures(engine), ==, 2);
  plant(data, 300000, eicar);
  g_autoptr(GArray) found = match(engine, data, MIB, false);
  g_assert_cmpuint(found->len, ==, 1);
  check_match(found, 0, 300000, strlen(eicar), "Eicar-Test-Body.UNOFFICIAL");
  g_autoptr(GArray) alone = match(engine, eicar, strlen(eicar), false);
  g_assert_cmpuint(alone->len, ==, 2);
  check_match(alone, 0, 0, strlen(eicar), "Eicar-Test-Body.UNOFFICIAL");
  check_match(alone, 1, 0, strlen(eicar), "Eicar-Test-Hash.UNOFFICIAL");
}

/* --- YARA --- */

static const char rule_source[] =
    "rule marker { strings: $a = \"" MARKER "\" condition: $a }\n"
    "private rule hidden { strings: $a = \"" MARKER "\" condition: $a }\n"
    "rule both { strings: $a = \"" MARKER "\" $b = \"" OTHER "\" condition: all of them }\n"
    "rule large { condition: filesize > 1000 }\n";

static void
test_yara(void)
{
  g_auto(Place) p;
  g_autofree uint8_t *data = noise(MIB);

  place_init(&p);
  g_autofree char *rules = put(&p, "rules.yar", "%s", rule_source);
  g_autoptr(DacsaScanEngine) engine = load(&p, NULL, rules);
  g_assert_cmpuint(dacsa_scan_engine_signatures(engine), ==, 4);
  plant(data, 0, MARKER);
  plant(data, MIB - strlen(MARKER), MARKER);
  plant(data, 2000, OTHER);
  g_autoptr(GArray) found = match(engine, data, MIB, false);
  g_assert_cmpuint(found->len, ==, 5);
  check_match(found, 0, 0, strlen(MARKER), "YARA.marker");
  check_match(found, 1, 0, 2000 + strlen(OTHER), "YARA.both"); /* near: one place */
  check_match(found, 2, 0, MIB, "YARA.large");                 /* no string: the whole */
  check_match(found, 3, MIB - strlen(MARKER), strlen(MARKER), "YARA.both");
  check_match(found, 4, MIB - strlen(MARKER), strlen(MARKER), "YARA.marker");
}

/* Compiled rules, by libyara itself, with a namespace; and a source beside them. */
static void
test_compiled(void)
{
  g_auto(Place) p;
  g_autofree uint8_t *data = noise(MIB);
  YR_COMPILER *compiler = NULL;
  YR_RULES *rules = NULL;

  place_init(&p);
  g_autofree char *path = g_build_filename(p.dir, "rules.yac", NULL);
  g_autofree char *source =
      put(&p, "rules.yar", "rule marker { strings: $a = \"" OTHER "\" condition: $a }");
  g_assert_cmpint(yr_initialize(), ==, 0);
  g_assert_cmpint(yr_compiler_create(&compiler), ==, 0);
  g_assert_cmpint(yr_compiler_add_string(compiler, rule_source, "hunt"), ==, 0);
  g_assert_cmpint(yr_compiler_get_rules(compiler, &rules), ==, 0);
  g_assert_cmpint(yr_rules_save(rules, path), ==, 0);
  yr_rules_destroy(rules);
  yr_compiler_destroy(compiler);
  yr_finalize();

  const char *files[] = {path, source, NULL};
  DacsaScanOptions options = {NULL, files, p.tmp};
  g_autoptr(GError) error = NULL;
  g_autoptr(DacsaScanEngine) engine = NULL;
  CHECK_OK(dacsa_scan_engine_load(&options, &engine, &error), error);
  g_assert_cmpuint(dacsa_scan_engine_signatures(engine), ==, 5);
  plant(data, 4000, MARKER);
  plant(data, 700000, OTHER);
  g_autoptr(GArray) found = match(engine, data, MIB, false);
  g_assert_cmpuint(found->len, ==, 5);
  check_match(found, 0, 0, MIB, "YARA.hunt.large");
  check_match(found, 1, 4000, strlen(MARKER), "YARA.hunt.both");
  check_match(found, 2, 4000, strlen(MARKER), "YARA.hunt.marker");
  check_match(found, 3, 700000, strlen(OTHER), "YARA.hunt.both");
  check_match(found, 4, 700000, strlen(OTHER), "YARA.marker");
}

static void
test_both(void)
{
  g_auto(Place) p;
  g_autofree uint8_t *data = noise(MIB);

  place_init(&p);
  g_autofree char *db = put_marker(&p);
  g_autofree char *rules =
      put(&p, "rules.yar", "rule r { strings: $a = \"" MARKER "\" condition: $a }");
  g_autoptr(DacsaScanEngine) engine = load(&p, db, rules);
  plant(data, 777777, MARKER);
  g_autoptr(GArray) found = match(engine, data, MIB, false);
  g_assert_cmpuint(found->len, ==, 2);
  check_match(found, 0, 777777, strlen(MARKER), "Test.Marker.UNOFFICIAL");
  check_match(found, 1, 777777, strlen(MARKER), "YARA.r");
}

/* --- files --- */

static GPtrArray *
match_file(DacsaScanEngine *engine, const char *path)
{
  g_autoptr(GError) error = NULL;
  GPtrArray *names = NULL;
  int fd = g_open(path, O_RDONLY | O_CLOEXEC, 0);

  g_assert_cmpint(fd, >=, 0);
  CHECK_OK(dacsa_scan_engine_file(engine, fd, &names, &error), error);
  close(fd);
  return names;
}

static void
check_names(const GPtrArray *names, const char *const *expected)
{
  for (guint i = 0; i < names->len; i++)
    g_assert_cmpstr((char *)names->pdata[i], ==, expected[i]);
  g_assert_null(expected[names->len]);
}

static void
test_files(void)
{
  g_auto(Place) p;

  place_init(&p);
  g_autofree char *db = put_marker(&p);
  g_autofree char *rules = put(&p, "rules.yar", "%s", rule_source);
  g_autoptr(DacsaScanEngine) engine = load(&p, db, rules);
  g_autofree char *infected = put(&p, "infected", "%s and %s and %s", MARKER, MARKER, OTHER);
  g_autofree char *clean = put(&p, "clean", "nothing");
  g_autofree char *empty = put(&p, "empty", "%s", "");
  g_autofree char *holes = put(&p, "holes", "%s", MARKER);
  g_assert_cmpint(truncate(holes, 101 * MIB), ==, 0);

  g_autoptr(GPtrArray) all = match_file(engine, infected);
  check_names(all, (const char *[]){"Test.Marker.UNOFFICIAL", "YARA.both", "YARA.marker", NULL});
  g_autoptr(GPtrArray) none = match_file(engine, clean);
  check_names(none, (const char *[]){NULL});
  g_autoptr(GPtrArray) nothing = match_file(engine, empty);
  check_names(nothing, (const char *[]){NULL});
  g_autoptr(GPtrArray) large = match_file(engine, holes);
  check_names(large, (const char *[]){"Test.Marker.UNOFFICIAL", "YARA.large", "YARA.marker", NULL});
}

/* What cannot be read, or is larger than libclamav takes, is an error and not clean. */
static void
test_bad_files(void)
{
  g_auto(Place) p;
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) names = NULL, none = NULL;

  place_init(&p);
  g_autofree char *db = put_marker(&p);
  g_autoptr(DacsaScanEngine) engine = load(&p, db, NULL);
  g_autofree char *path = put(&p, "large", "%s", "text");
  g_assert_cmpint(truncate(path, (off_t)1 << 31), ==, 0);
  int fd = g_open(path, O_RDONLY | O_CLOEXEC, 0);
  CHECK_FAILS(dacsa_scan_engine_file(engine, fd, &names, &error), error, DACSA_ERROR_UNSUPPORTED);
  check_names(names, (const char *[]){NULL});
  close(fd);
  g_assert_cmpint(truncate(path, 100000), ==, 0);
  fd = g_open(path, O_WRONLY | O_CLOEXEC, 0);
  CHECK_FAILS(dacsa_scan_engine_file(engine, fd, &none, &error), error, DACSA_ERROR_OS);
  check_names(none, (const char *[]){NULL});
  close(fd);
}

/* What an expression cannot cope with does not hide what else is there. */
static void
test_too_hard(void)
{
  g_auto(Place) p;
  g_autoptr(GError) error = NULL;
  g_autoptr(GArray) found = NULL;
  bool more = false;
  g_autofree char *data = (char *)g_malloc(MIB);

  place_init(&p);
  memset(data, 'a', MIB);
  memcpy(data + 5000, MARKER, strlen(MARKER));
  g_autofree char *db = put_marker(&p);
  g_autofree char *rules = put(&p, "rules.yar",
                               "rule r { strings: $a = /aaaa(a?a?a?b?){2000}(a|aa|aaa|b){1000}c/ "
                               "condition: $a }");
  g_autoptr(DacsaScanEngine) engine = load(&p, db, rules);
  CHECK_FAILS(dacsa_scan_engine_memory(engine, data, MIB, &found, &more, &error), error,
              DACSA_ERROR_UNSUPPORTED);
  g_assert_cmpuint(found->len, ==, 1);
  check_match(found, 0, 5000, strlen(MARKER), "Test.Marker.UNOFFICIAL");

  g_autofree char *path = put(&p, "hard", "%s", "");
  g_file_set_contents(path, data, MIB, &error);
  g_assert_no_error(error);
  g_autoptr(GPtrArray) names = NULL;
  int fd = g_open(path, O_RDONLY | O_CLOEXEC, 0);
  CHECK_FAILS(dacsa_scan_engine_file(engine, fd, &names, &error), error, DACSA_ERROR_UNSUPPORTED);
  check_names(names, (const char *[]){"Test.Marker.UNOFFICIAL", NULL});
  close(fd);
}

/* --- archives --- */

static uint32_t
crc32(const char *text)
{
  uint32_t crc = ~0u;

  for (; *text; text++) {
    crc ^= (unsigned char)*text;
    for (int bit = 0; bit < 8; bit++)
      crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
  }
  return ~crc;
}

static void
put_le(GByteArray *out, uint64_t value, guint bytes)
{
  uint64_t le = GUINT64_TO_LE(value);

  g_byte_array_append(out, (const guint8 *)&le, bytes);
}

/* Raw deflate. */
static GByteArray *
deflated(const char *text)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GZlibCompressor) zlib = g_zlib_compressor_new(G_ZLIB_COMPRESSOR_FORMAT_RAW, 9);
  GByteArray *out = g_byte_array_new();
  gsize in_len = 0, out_len = 0;

  g_byte_array_set_size(out, (guint)strlen(text) + 1000);
  g_converter_convert(G_CONVERTER(zlib), text, strlen(text), out->data, out->len,
                      G_CONVERTER_INPUT_AT_END, &in_len, &out_len, &error);
  g_assert_no_error(error);
  g_byte_array_set_size(out, (guint)out_len);
  return out;
}

/* What a member's two headers have in common (APPNOTE.TXT 4.3.7, 4.3.12). */
static void
put_member(GByteArray *zip, const char *text, const GByteArray *data)
{
  put_le(zip, 20, 2);         /* version that is needed */
  put_le(zip, 0, 2);          /* flags */
  put_le(zip, 8, 2);          /* deflate */
  put_le(zip, 0x58210000, 4); /* time and date */
  put_le(zip, crc32(text), 4);
  put_le(zip, data->len, 4);
  put_le(zip, strlen(text), 4);
  put_le(zip, 1, 2); /* the name's length */
  put_le(zip, 0, 2); /* the extra field's */
}

/* A zip archive with one member, deflated. Owned. */
static GByteArray *
zip_of(const char *text)
{
  g_autoptr(GByteArray) data = deflated(text);
  GByteArray *zip = g_byte_array_new();

  put_le(zip, 0x04034b50, 4);
  put_member(zip, text, data);
  put_le(zip, 'm', 1);
  g_byte_array_append(zip, data->data, data->len);
  guint directory = zip->len;
  put_le(zip, 0x02014b50, 4);
  put_le(zip, 20, 2); /* made by */
  put_member(zip, text, data);
  put_le(zip, 0, 8); /* comment, disk, attributes */
  put_le(zip, 0, 6); /* attributes, offset of the member */
  put_le(zip, 'm', 1);
  guint size = zip->len - directory;
  put_le(zip, 0x06054b50, 4);
  put_le(zip, 0, 4); /* disks */
  put_le(zip, 1, 2);
  put_le(zip, 1, 2);
  put_le(zip, size, 4);
  put_le(zip, directory, 4);
  put_le(zip, 0, 2);
  return zip;
}

/* Only unpacking shows it: as a file, as the start of a memory, and in the midst of one. */
static void
test_zip(void)
{
  g_auto(Place) p;
  g_autoptr(GError) error = NULL;
  g_autofree uint8_t *data = noise(MIB);
  g_autoptr(GByteArray) zip = zip_of("text text text " MARKER " text text text text");

  place_init(&p);
  g_assert_null(memmem(zip->data, zip->len, MARKER, strlen(MARKER)));
  g_autofree char *db = put_marker(&p);
  g_autoptr(DacsaScanEngine) engine = load(&p, db, NULL);
  g_autofree char *path = put(&p, "a.zip", "%s", "");
  g_file_set_contents(path, (const char *)zip->data, (gssize)zip->len, &error);
  g_assert_no_error(error);
  g_autoptr(GPtrArray) names = match_file(engine, path);
  check_names(names, (const char *[]){"Test.Marker.UNOFFICIAL", NULL});
  for (size_t at = 0; at < MIB; at += 500000) {
    memcpy(data + at, zip->data, zip->len);
    g_autoptr(GArray) found = match(engine, data, MIB, false);
    g_assert_cmpuint(found->len, ==, 1);
    const DacsaScanMatch *m = &g_array_index(found, DacsaScanMatch, 0);
    g_test_message("zip of %u bytes at %zu found at %zu-%zu", zip->len, at, m->start, m->end);
    g_assert_cmpuint(m->start, <=, at);
    g_assert_cmpuint(m->end, <=, at + zip->len);
    g_assert_cmpuint(m->end, >, at);
    memset(data + at, 'x', zip->len);
  }
}

/* --- errors --- */

static void
check_load_fails(const Place *p, const char *database, const char *rules, DacsaError code,
                 const char *says)
{
  g_autoptr(GError) error = NULL;
  const char *databases[] = {database, NULL}, *files[] = {rules, NULL};
  DacsaScanOptions options = {database ? databases : NULL, rules ? files : NULL, p->tmp};
  g_autoptr(DacsaScanEngine) engine = NULL;

  g_assert_false(dacsa_scan_engine_load(&options, &engine, &error));
  g_assert_null(engine);
  g_test_message("%s", error->message);
  g_assert_error(error, DACSA_ERROR, (int)code);
  g_assert_nonnull(strstr(error->message, says));
  g_assert_null(strchr(error->message, '\n'));
}

static void
test_bad_databases(void)
{
  g_auto(Place) p;

  place_init(&p);
  g_autofree char *missing = g_build_filename(p.dir, "missing.ndb", NULL);
  g_autofree char *empty = put(&p, "empty.ndb", "%s", "");
  g_autofree char *comment = put(&p, "comment.ndb", "# nothing\n");
  g_autofree char *broken = put(&p, "broken.ndb", "A:0:*:61626364656667\nB:0:*:zz\n");
  g_autofree char *garbage = put(&p, "garbage.cvd", "no such thing");
  g_autofree char *hash = put(&p, "broken.hdb", "nohash:12:X\n");
  g_autofree char *logical = put(&p, "broken.ldb", "X;Target:0;0&5;61626364656667\n");
  g_autofree char *unknown = put(&p, "what.txt", "is this\n");
  g_autofree char *directory = g_build_filename(p.dir, "none", NULL);
  g_assert_cmpint(g_mkdir(directory, 0700), ==, 0);

  check_load_fails(&p, NULL, NULL, DACSA_ERROR_NOT_FOUND, "nothing to scan for");
  check_load_fails(&p, missing, NULL, DACSA_ERROR_NOT_FOUND, "missing.ndb");
  check_load_fails(&p, empty, NULL, DACSA_ERROR_BAD_DATA, "empty.ndb");
  check_load_fails(&p, comment, NULL, DACSA_ERROR_BAD_DATA, "comment.ndb");
  check_load_fails(&p, broken, NULL, DACSA_ERROR_BAD_DATA, "line 2");
  check_load_fails(&p, garbage, NULL, DACSA_ERROR_BAD_DATA, "garbage.cvd");
  check_load_fails(&p, hash, NULL, DACSA_ERROR_BAD_DATA, "line 1");
  check_load_fails(&p, logical, NULL, DACSA_ERROR_BAD_DATA, "line 1");
  check_load_fails(&p, unknown, NULL, DACSA_ERROR_BAD_DATA, "what.txt");
  check_load_fails(&p, directory, NULL, DACSA_ERROR_BAD_DATA, "/none");
  check_load_fails(&p, p.dir, NULL, DACSA_ERROR_BAD_DATA, p.dir); /* one of its files is broken */
}

/* A directory of which one file is broken is not half a database. */
static void
test_half_broken(void)
{
  static const char *const broken[][2] = {
      {"bad.cvd", "no such thing"}, {"bad.hdb", "nohash:12:X\n"},
      {"bad.ldb", "X;Target:0\n"},  {"bad.yar", "rule b { nonsense }"},
      {"bad.ftm", "x\n"},           {"empty.ndb", ""},
      {"bad.fp", "x:y\n"}};

  for (size_t i = 0; i < G_N_ELEMENTS(broken); i++) {
    g_auto(Place) p;

    place_init(&p);
    g_autofree char *good = put_marker(&p);
    g_autofree char *bad = put(&p, broken[i][0], "%s", broken[i][1]);
    check_load_fails(&p, p.dir, NULL, DACSA_ERROR_BAD_DATA, p.dir);
  }
}

static void
test_bad_rules(void)
{
  g_auto(Place) p;

  place_init(&p);
  g_autofree char *missing = g_build_filename(p.dir, "missing.yar", NULL);
  g_autofree char *empty = put(&p, "empty.yar", "%s", "");
  g_autofree char *broken =
      put(&p, "broken.yar", "rule a { condition: true }\nrule b { nonsense }");
  g_autofree char *compiled = put(&p, "compiled.yac", "YARA but no more");
  g_autofree char *include = put(&p, "include.yar", "include \"not-there.yar\"\n");
  g_autofree char *binary = put(&p, "binary.ndb", "A:0:*:zz");

  check_load_fails(&p, NULL, missing, DACSA_ERROR_NOT_FOUND, "missing.yar");
  check_load_fails(&p, NULL, empty, DACSA_ERROR_BAD_DATA, "empty.yar");
  check_load_fails(&p, NULL, broken, DACSA_ERROR_BAD_DATA, "broken.yar:2: ");
  check_load_fails(&p, NULL, compiled, DACSA_ERROR_BAD_DATA, "compiled.yac");
  check_load_fails(&p, NULL, include, DACSA_ERROR_BAD_DATA, "not-there.yar");
  check_load_fails(&p, NULL, binary, DACSA_ERROR_BAD_DATA, "binary.ndb:1: ");
  check_load_fails(&p, NULL, p.dir, DACSA_ERROR_OS, p.dir);
}

/* --- threads --- */

typedef struct {
  DacsaScanEngine *engine;
  const char *path;
  guint number;
} Job;

static gpointer
thread(gpointer data)
{
  const Job *job = (const Job *)data;
  g_autofree uint8_t *buffer = noise(256 * KIB);
  size_t at = 1000 + job->number * 7001;

  plant(buffer, at, MARKER);
  for (int i = 0; i < 3; i++) {
    g_autoptr(GArray) found = match(job->engine, buffer, 256 * KIB, false);
    g_autoptr(GPtrArray) names = match_file(job->engine, job->path);

    g_assert_cmpuint(found->len, ==, 2);
    check_match(found, 0, at, strlen(MARKER), "Test.Marker.UNOFFICIAL");
    check_match(found, 1, at, strlen(MARKER), "YARA.r");
    check_names(names, (const char *[]){"Test.Marker.UNOFFICIAL", "YARA.r", NULL});
  }
  return NULL;
}

static void
test_threads(void)
{
  g_auto(Place) p;
  GThread *threads[8];
  Job jobs[G_N_ELEMENTS(threads)];

  place_init(&p);
  g_autofree char *db = put_marker(&p);
  g_autofree char *rules =
      put(&p, "rules.yar", "rule r { strings: $a = \"" MARKER "\" condition: $a }");
  g_autofree char *file = put(&p, "infected", "%s", MARKER);
  g_autoptr(DacsaScanEngine) engine = load(&p, db, rules);
  for (guint i = 0; i < G_N_ELEMENTS(threads); i++) {
    jobs[i] = (Job){engine, file, i};
    threads[i] = g_thread_new("match", thread, &jobs[i]);
  }
  for (guint i = 0; i < G_N_ELEMENTS(threads); i++)
    g_thread_join(threads[i]);
}

/* --- the version --- */

static char *
version(const Place *p, const char *database, const char *rules)
{
  g_autoptr(GError) error = NULL;
  const char *databases[] = {database, NULL}, *files[] = {rules, NULL};
  DacsaScanOptions options = {databases, files, p->tmp};
  char *ret = NULL;

  CHECK_OK(dacsa_scan_version(&options, &ret, &error), error);
  g_assert_cmpuint(strlen(ret), ==, 64);
  return ret;
}

static void
test_version(void)
{
  g_auto(Place) p;
  g_autoptr(GError) error = NULL;
  g_autofree char *never = NULL;

  place_init(&p);
  g_autofree char *db = put_marker(&p);
  g_autofree char *included = put(&p, "b.yar", "rule b { condition: true }");
  g_autofree char *rules = put(&p, "a.yar", "include \"b.yar\"\n");
  g_autofree char *first = version(&p, db, rules);
  g_autofree char *same = version(&p, db, rules);
  g_assert_cmpstr(first, ==, same);
  g_autofree char *directory = version(&p, p.dir, rules);
  g_assert_cmpstr(directory, !=, first);
  g_autofree char *again = put(&p, "b.yar", "rule c { condition: true }");
  g_autofree char *other = version(&p, db, rules); /* what a rule file includes counts too */
  g_assert_cmpstr(other, !=, first);
  g_autofree char *more = put(&p, "more.ndb", "A:0:*:6162636465666768\n");
  g_autofree char *more_directory = version(&p, p.dir, rules);
  g_assert_cmpstr(more_directory, !=, directory);
  const char *missing[] = {"/nonexistent/x.ndb", NULL};
  DacsaScanOptions options = {missing, NULL, p.tmp};
  CHECK_FAILS(dacsa_scan_version(&options, &never, &error), error, DACSA_ERROR_NOT_FOUND);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/scan-engine/places", test_places);
  g_test_add_func("/scan-engine/several", test_several);
  g_test_add_func("/scan-engine/many", test_many);
  g_test_add_func("/scan-engine/all-signatures", test_all_signatures);
  g_test_add_func("/scan-engine/logical", test_logical);
  g_test_add_func("/scan-engine/tiny", test_tiny);
  g_test_add_func("/scan-engine/eicar", test_eicar);
  g_test_add_func("/scan-engine/yara", test_yara);
  g_test_add_func("/scan-engine/compiled", test_compiled);
  g_test_add_func("/scan-engine/both", test_both);
  g_test_add_func("/scan-engine/files", test_files);
  g_test_add_func("/scan-engine/zip", test_zip);
  g_test_add_func("/scan-engine/bad-files", test_bad_files);
  g_test_add_func("/scan-engine/too-hard", test_too_hard);
  g_test_add_func("/scan-engine/bad-databases", test_bad_databases);
  g_test_add_func("/scan-engine/half-broken", test_half_broken);
  g_test_add_func("/scan-engine/bad-rules", test_bad_rules);
  g_test_add_func("/scan-engine/threads", test_threads);
  g_test_add_func("/scan-engine/version", test_version);
  return g_test_run();
}
