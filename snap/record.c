/* A snapshot's record and its key file. */
#include "snap/record.h"

#include "snap/error.h"

#include <inttypes.h>
#include <string.h>

#define GROUP "snapshot"

DacsaRecord *
dacsa_record_new(void)
{
  return g_new0(DacsaRecord, 1);
}

void
dacsa_record_free(DacsaRecord *r)
{
  if (!r)
    return;
  g_free(r->vm);
  g_free(r->uuid);
  g_free(r->name);
  g_free(r->method);
  g_free(r->registers);
  dacsa_layout_free(r->layout);
  g_free(r);
}

/* The fields, each in one row: both directions walk these. */
static const struct {
  const char *key;
  size_t offset;
} strings[] = {{"vm", G_STRUCT_OFFSET(DacsaRecord, vm)},
               {"uuid", G_STRUCT_OFFSET(DacsaRecord, uuid)},
               {"name", G_STRUCT_OFFSET(DacsaRecord, name)},
               {"method", G_STRUCT_OFFSET(DacsaRecord, method)},
               {"registers", G_STRUCT_OFFSET(DacsaRecord, registers)}},
  numbers[] = {{"taken_us", G_STRUCT_OFFSET(DacsaRecord, taken_us)},
               {"pause_us", G_STRUCT_OFFSET(DacsaRecord, pause_us)},
               {"quiesce_us", G_STRUCT_OFFSET(DacsaRecord, quiesce_us)},
               {"fork_us", G_STRUCT_OFFSET(DacsaRecord, fork_us)},
               {"resident_bytes", G_STRUCT_OFFSET(DacsaRecord, resident_bytes)},
               {"child_start", G_STRUCT_OFFSET(DacsaRecord, child_start)}};

/* Records of earlier versions lack these: 0 then. */
static const struct {
  const char *key;
  size_t offset;
} optional_numbers[] = {{"scheduled", G_STRUCT_OFFSET(DacsaRecord, scheduled)}};

char *
dacsa_record_default_name(int64_t unix_us)
{
  g_autoptr(GDateTime) time = g_date_time_new_from_unix_utc(unix_us / G_USEC_PER_SEC);

  return g_date_time_format(time, "%Y%m%dT%H%M%SZ");
}

char *
dacsa_record_time(int64_t unix_us)
{
  g_autoptr(GDateTime) seconds = g_date_time_new_from_unix_utc(unix_us / G_USEC_PER_SEC);
  g_autofree char *text = g_date_time_format(seconds, "%Y-%m-%dT%H:%M:%S");

  return g_strdup_printf("%s.%06" PRId64 "Z", text, unix_us % G_USEC_PER_SEC);
}

char *
dacsa_record_to_text(const DacsaRecord *r)
{
  g_autoptr(GKeyFile) file = g_key_file_new();
  g_autofree char *layout = dacsa_layout_to_text(r->layout);

  for (size_t i = 0; i < G_N_ELEMENTS(strings); i++)
    g_key_file_set_string(file, GROUP, strings[i].key,
                          G_STRUCT_MEMBER(char *, r, strings[i].offset)
                              ? G_STRUCT_MEMBER(char *, r, strings[i].offset)
                              : "");
  for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++)
    g_key_file_set_int64(file, GROUP, numbers[i].key,
                         G_STRUCT_MEMBER(int64_t, r, numbers[i].offset));
  for (size_t i = 0; i < G_N_ELEMENTS(optional_numbers); i++)
    g_key_file_set_int64(file, GROUP, optional_numbers[i].key,
                         G_STRUCT_MEMBER(int64_t, r, optional_numbers[i].offset));
  g_key_file_set_int64(file, GROUP, "child", r->child);
  g_key_file_set_string(file, GROUP, "layout", layout);
  return g_key_file_to_data(file, NULL, NULL);
}

bool
dacsa_record_from_text(const char *text, size_t len, DacsaRecord **ret, GError **error)
{
  g_autoptr(GKeyFile) file = g_key_file_new();
  g_autoptr(DacsaRecord) r = dacsa_record_new();
  g_autoptr(GError) cause = NULL;
  gint64 child = 0;

  if (!g_key_file_load_from_data(file, text, len, G_KEY_FILE_NONE, &cause))
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "not a snapshot's record: %s", cause->message);
  for (size_t i = 0; i < G_N_ELEMENTS(strings) && !cause; i++)
    G_STRUCT_MEMBER(char *, r, strings[i].offset) =
        g_key_file_get_string(file, GROUP, strings[i].key, &cause);
  for (size_t i = 0; i < G_N_ELEMENTS(numbers) && !cause; i++)
    G_STRUCT_MEMBER(int64_t, r, numbers[i].offset) =
        g_key_file_get_int64(file, GROUP, numbers[i].key, &cause);
  for (size_t i = 0; i < G_N_ELEMENTS(optional_numbers) && !cause; i++)
    G_STRUCT_MEMBER(int64_t, r, optional_numbers[i].offset) =
        g_key_file_get_int64(file, GROUP, optional_numbers[i].key, NULL);
  if (!cause)
    child = g_key_file_get_int64(file, GROUP, "child", &cause);
  g_autofree char *layout = cause ? NULL : g_key_file_get_string(file, GROUP, "layout", &cause);
  if (cause)
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "a snapshot's record is damaged: %s",
                      cause->message);
  if (r->name[0] == '\0' || r->vm[0] == '\0' || child <= 0 || child > G_MAXINT32)
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "a snapshot's record names nothing");
  r->child = (pid_t)child;
  if (!dacsa_layout_from_text(layout, &r->layout, error))
    return false;
  *ret = g_steal_pointer(&r);
  return true;
}
