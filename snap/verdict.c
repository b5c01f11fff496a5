/* Chooses a method. */
#include "snap/verdict.h"

#include <inttypes.h>

#define MIB (UINT64_C(1) << 20)

/* Of the methods named, as bits, and of the last of them. */
static unsigned
bits_of(const char *const *methods, unsigned *ret_last)
{
  unsigned bits = 0;

  *ret_last = 0;
  for (size_t i = 0; methods[i]; i++) {
    const DacsaMethod *method = dacsa_method_find(methods[i]);

    *ret_last = method ? method->bit : 0;
    bits |= *ret_last;
  }
  return bits;
}

static const DacsaMethod *
choose(const GPtrArray *findings, const char *const *methods)
{
  for (size_t i = 0; methods[i]; i++) {
    const DacsaMethod *method = dacsa_method_find(methods[i]);

    if (method && !dacsa_preflight_refusal(findings, method->bit))
      return method;
  }
  return NULL;
}

static void
rephrase(char **text, const char *before, const char *after)
{
  char *old = *text;

  *text = g_strconcat(before, old, after, NULL);
  g_free(old);
}

/* What forbids the method comes first, else in the order that is there. */
static void
put_first(GPtrArray *findings, unsigned method)
{
  guint first = 0;

  for (guint i = 0; i < findings->len; i++) {
    const DacsaFinding *finding = g_ptr_array_index(findings, i);

    if (finding->refuses && (finding->methods & method))
      g_ptr_array_insert(findings, (gint)first++, g_ptr_array_steal_index(findings, i));
  }
}

/* No method is possible: what forbids those that are allowed is told; and, once, that another would
 * do, unless waiting helps as well. The first reason, which is all that some are told, is why the
 * last resort is none. */
static void
refuse(GPtrArray *findings, unsigned allowed, unsigned last)
{
  const bool copy_would_do =
      !(allowed & DACSA_METHOD_COPY) && !dacsa_preflight_refusal(findings, DACSA_METHOD_COPY);

  for (guint i = findings->len; i-- > 0;) {
    const DacsaFinding *finding = g_ptr_array_index(findings, i);

    if (!(finding->methods & allowed))
      g_ptr_array_remove_index(findings, i);
  }
  put_first(findings, last);
  for (guint i = 0; copy_would_do && i < findings->len; i++) {
    DacsaFinding *finding = g_ptr_array_index(findings, i);

    if (!finding->refuses || finding->passing)
      continue;
    rephrase(&finding->remedy, "",
             ", or allow a copy, for which the VM stands still (--method fork,copy)");
    return;
  }
}

/* What forbids a method that comes before the chosen one is no more than a warning. */
static void
accept(GPtrArray *findings, unsigned preferred, unsigned chosen)
{
  for (guint i = findings->len; i-- > 0;) {
    DacsaFinding *finding = g_ptr_array_index(findings, i);

    if (finding->refuses && (finding->methods & preferred)) {
      finding->refuses = false;
      rephrase(&finding->reason,
               finding->methods & preferred & DACSA_METHOD_FORK ? "no snapshot by a fork: "
                                                                : "no snapshot by a copy: ",
               "");
    } else if (finding->refuses || !(finding->methods & chosen)) {
      g_ptr_array_remove_index(findings, i);
    }
  }
}

static void
warn_of_copy(GPtrArray *findings, bool fork_is_preferred, uint64_t copy_bytes)
{
  g_autofree char *reason =
      g_strdup_printf("a snapshot is a full copy, and the VM stands still while it is made: at "
                      "most %" PRIu64 " MiB as things are",
                      copy_bytes / MIB);
  const char *remedy = fork_is_preferred
                           ? "if that is too long, see to it that a fork is possible, as told here"
                           : "where a fork is possible, `--method fork,copy` makes one";

  g_ptr_array_insert(findings, 0, dacsa_finding_new(reason, remedy, false, DACSA_METHOD_COPY));
}

const DacsaMethod *
dacsa_verdict_reach(GPtrArray *findings, const char *const *methods, uint64_t copy_bytes)
{
  const DacsaMethod *method = choose(findings, methods);
  unsigned preferred = 0;

  if (!method) {
    unsigned last;
    const unsigned allowed = bits_of(methods, &last);

    refuse(findings, allowed, last);
    return NULL;
  }
  for (size_t i = 0; dacsa_method_find(methods[i]) != method; i++)
    preferred |= dacsa_method_find(methods[i])->bit;
  accept(findings, preferred, method->bit);
  if (method->bit == DACSA_METHOD_COPY)
    warn_of_copy(findings, preferred & DACSA_METHOD_FORK, copy_bytes);
  return method;
}
