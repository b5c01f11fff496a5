/* Names from outside as file names. */
#pragma once

/* What cannot stand in a file name (/, control characters, `%`, the names . and .., no name at all)
 * is percent-escaped. Owned. */
char *dacsa_name_escape(const char *name);

/* The reverse; NULL: escape makes no such name. Owned. */
char *dacsa_name_unescape(const char *name);
