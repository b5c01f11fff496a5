/* What the files of the test guest's one program share. */
#ifndef GUEST_H
#define GUEST_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stddef.h>
#include <sys/mman.h>

#define PAGE 4096
#define MIB (1024 * 1024)
#define RW (PROT_READ | PROT_WRITE)

/* A role ends with stay(), or returns the exit status of one that does something and ends. */
struct role {
  const char *name;
  int (*run)(const char *arg);
};

/* Each ends with a row of NULLs. */
extern const struct role memory_roles[], socket_roles[], process_roles[], namespace_roles[],
    report_roles[], resident_roles[], debuggee_roles[], mark_roles[], work_roles[];

_Noreturn void die(const char *what);
void ready(void); /* creates /run/ready/<pid>: this process is what it is meant to be */
_Noreturn void be_at_rest(void);
_Noreturn void stay(void); /* ready, and at rest */
char *map(size_t size, int prot, int flags, int fd);

/* A child that is at rest; WHAT, if not NULL, is done there first. Its pid, once that is done. */
int start_child(void (*what)(void));

/* Starts a thread that is at rest, by that name if it is not NULL. */
void start_thread(const char *name);

void write_file(const char *path, const char *text);

#endif
