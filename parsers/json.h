/*
 * Writes one large JSON document into a text as it goes. Strings are bytes that a guest chose: what
 * is not ASCII is written as the character of that number, so that the document is ASCII, and two
 * strings that differ are written differently.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct {
  GString *out; /* borrowed */
  gsize limit;  /* beyond it the document is full */
  bool comma;   /* a value precedes in the same object */
} DacsaJson;

/* { and }. An object that is a value of another is opened after its key. */
void dacsa_json_open(DacsaJson *json);
void dacsa_json_close(DacsaJson *json);

/* In an object; a value, or an object, follows. */
void dacsa_json_key(DacsaJson *json, const char *name);
void dacsa_json_text(DacsaJson *json, const char *text);
void dacsa_json_number(DacsaJson *json, uint64_t number);
void dacsa_json_signed(DacsaJson *json, int64_t number);
void dacsa_json_boolean(DacsaJson *json, bool yes);

/* Key and value. */
void dacsa_json_add_text(DacsaJson *json, const char *name, const char *text);
void dacsa_json_add_number(DacsaJson *json, const char *name, uint64_t number);
void dacsa_json_add_boolean(DacsaJson *json, const char *name, bool yes);

/* Whether the limit is passed. Nothing is refused then: who writes stops adding, and closes. */
bool dacsa_json_is_full(const DacsaJson *json);
