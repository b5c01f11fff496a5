/*
 * A Linux kernel made by hand, with member offsets of our own: what the tests of open files and of
 * sockets share. Processes are tasks in one list; structures are written member by member.
 */
#pragma once

#include "parsers/linux/view.h"

typedef struct {
  DacsaLinuxKernel kernel;
  DacsaLinux l;
} FakeOpens;

/* Member number i lies at offset 16 * i of whatever structure it is of, and is `size` bytes long:
 * so no two overlap, and a structure's gva may be anything that far from the next one's. */
#define FAKE_AT(member, bytes) [member] = {.known = true, .offset = 16u * (member), .size = (bytes)}
/* The size of any such structure, rounded up. */
#define FAKE_STRUCT UINT64_C(0x8000)
#define FAKE(n) (UINT64_C(0xffff888000000000) + (uint64_t)(n)*FAKE_STRUCT)

/* members: M_N of them, added to those that tasks and files need. */
void fake_opens_init(FakeOpens *f, const DacsaMember *members);
void fake_opens_clear(FakeOpens *f);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(FakeOpens, fake_opens_clear)

void fake_opens_put(FakeOpens *f, uint64_t base, DacsaLinuxMember member, uint64_t value);
uint64_t fake_opens_at(FakeOpens *f, uint64_t base, DacsaLinuxMember member);

/* Makes the list of tasks: n of them at tasks, with pids 1 to n and those names, each with one
 * thread and no files. */
void fake_opens_tasks(FakeOpens *f, const uint64_t *tasks, const char *const *names, unsigned n);

/* A files_struct at `files` with a table of max numbers; fake_opens_open makes one a file. */
void fake_opens_files(FakeOpens *f, uint64_t files, uint32_t max);
void fake_opens_open(FakeOpens *f, uint64_t files, uint32_t fd, uint64_t file, bool close_on_exec);

void fake_opens_check_errors(FakeOpens *f, const char *expected);
