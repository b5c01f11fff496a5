/* Runs files, and the files of directories, through a fuzz target: its corpus, in builds without
 * libFuzzer. A file that makes it crash is the last one named. */
#include "fuzz.h"

#include <stdio.h>

static unsigned
replay_file(const char *path)
{
  g_autofree char *data = NULL;
  g_autoptr(GError) error = NULL;
  gsize size;

  if (!g_file_get_contents(path, &data, &size, &error))
    g_error("%s", error->message);
  printf("# %s\n", path);
  fflush(stdout);
  /* Of its own length, so that a read past its end is seen. */
  g_autofree uint8_t *input = g_malloc(MAX(size, 1));
  memcpy(input, data, size);
  LLVMFuzzerTestOneInput(input, size);
  return 1;
}

static unsigned
replay(const char *path)
{
  GDir *dir = g_dir_open(path, 0, NULL);
  const char *name;
  unsigned n = 0;

  if (!dir)
    return replay_file(path);
  while ((name = g_dir_read_name(dir))) {
    g_autofree char *inner = g_build_filename(path, name, NULL);

    n += replay(inner);
  }
  g_dir_close(dir);
  return n;
}

int
main(int argc, char **argv)
{
  unsigned n = 0;

  for (int i = 1; i < argc; i++)
    n += replay(argv[i]);
  printf("%u inputs\n", n);
  return n > 0 ? 0 : 1;
}
