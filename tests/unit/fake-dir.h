/* A directory for a test's files. */
#pragma once

/* Its path. Owned. */
char *fake_dir_new(void);

/* Removes it with all that is below, and frees dir. */
void fake_dir_free(char *dir);
