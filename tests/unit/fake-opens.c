/* A Linux kernel made by hand. */
#include "fake-opens.h"
#include "fake-linux.h"
#include "fake-mem.h"

#include <string.h>

/* A files_struct is followed by its table and that by what the table points to. */
#define FDT(files) ((files) + UINT64_C(0x100000000))
#define OPEN_BITS(files) ((files) + UINT64_C(0x200000000))
#define CLOEXEC_BITS(files) ((files) + UINT64_C(0x300000000))
#define FD_ARRAY(files) ((files) + UINT64_C(0x400000000))
#define SIGNAL(task) ((task) + UINT64_C(0x500000000))
#define INIT_TASK FAKE(0x1000)

static const DacsaMember common[M_N] = {
    FAKE_AT(M_TASK_TASKS, 8),
    FAKE_AT(M_TASK_PID, 4),
    FAKE_AT(M_TASK_COMM, 16),
    FAKE_AT(M_TASK_FILES, 8),
    FAKE_AT(M_TASK_SIGNAL, 8),
    FAKE_AT(M_TASK_THREAD_NODE, 16),
    FAKE_AT(M_SIGNAL_THREAD_HEAD, 16),
    FAKE_AT(M_FILES_FDT, 8),
    FAKE_AT(M_FDTABLE_MAX_FDS, 4),
    FAKE_AT(M_FDT_FD, 8),
    FAKE_AT(M_FDT_OPEN_FDS, 8),
    FAKE_AT(M_FDT_CLOSE_ON_EXEC, 8),
    FAKE_AT(M_FILE_OP, 8),
    FAKE_AT(M_FILE_PRIVATE, 8),
};

void
fake_opens_init(FakeOpens *f, const DacsaMember *members)
{
  *f = (FakeOpens){0};
  for (size_t i = 0; i < M_N; i++)
    f->kernel.members[i] = members[i].known ? members[i] : common[i];
  fake_linux_view_init(&f->l, &f->kernel);
}

void
fake_opens_clear(FakeOpens *f)
{
  fake_linux_view_clear(&f->l);
}

uint64_t
fake_opens_at(FakeOpens *f, uint64_t base, DacsaLinuxMember member)
{
  g_assert_true(f->kernel.members[member].known);
  return base + f->kernel.members[member].offset;
}

void
fake_opens_put(FakeOpens *f, uint64_t base, DacsaLinuxMember member, uint64_t value)
{
  const uint64_t little = GUINT64_TO_LE(value);

  fake_mem_write(f->l.memory, fake_opens_at(f, base, member), &little,
                 MIN(f->kernel.members[member].size, 8u));
}

/* A list of one: the thread is the head's only neighbour. */
static void
put_thread(FakeOpens *f, uint64_t task)
{
  const uint64_t head = fake_opens_at(f, SIGNAL(task), M_SIGNAL_THREAD_HEAD);
  const uint64_t node = fake_opens_at(f, task, M_TASK_THREAD_NODE);

  fake_opens_put(f, task, M_TASK_SIGNAL, SIGNAL(task));
  fake_mem_u64(f->l.memory, head, node);
  fake_mem_u64(f->l.memory, node, head);
}

void
fake_opens_tasks(FakeOpens *f, const uint64_t *tasks, const char *const *names, unsigned n)
{
  uint64_t before = INIT_TASK;

  f->kernel.symbols[S_INIT_TASK] = INIT_TASK;
  for (unsigned i = 0; i < n; i++) {
    fake_opens_put(f, before, M_TASK_TASKS, fake_opens_at(f, tasks[i], M_TASK_TASKS));
    fake_opens_put(f, tasks[i], M_TASK_PID, i + 1);
    fake_mem_string(f->l.memory, fake_opens_at(f, tasks[i], M_TASK_COMM), names[i]);
    fake_opens_put(f, tasks[i], M_TASK_FILES, 0);
    put_thread(f, tasks[i]);
    before = tasks[i];
  }
  fake_opens_put(f, before, M_TASK_TASKS, fake_opens_at(f, INIT_TASK, M_TASK_TASKS));
}

void
fake_opens_files(FakeOpens *f, uint64_t files, uint32_t max)
{
  fake_opens_put(f, files, M_FILES_FDT, FDT(files));
  fake_opens_put(f, FDT(files), M_FDTABLE_MAX_FDS, max);
  fake_opens_put(f, FDT(files), M_FDT_FD, FD_ARRAY(files));
  fake_opens_put(f, FDT(files), M_FDT_OPEN_FDS, OPEN_BITS(files));
  fake_opens_put(f, FDT(files), M_FDT_CLOSE_ON_EXEC, CLOEXEC_BITS(files));
  for (uint32_t i = 0; i < max; i += 64) {
    fake_mem_u64(f->l.memory, OPEN_BITS(files) + i / 8, 0);
    fake_mem_u64(f->l.memory, CLOEXEC_BITS(files) + i / 8, 0);
  }
  for (uint32_t i = 0; i < max; i++)
    fake_mem_u64(f->l.memory, FD_ARRAY(files) + UINT64_C(8) * i, 0);
}

static void
set_bit(FakeOpens *f, uint64_t bits, uint32_t i)
{
  uint8_t byte;

  g_assert_true(dacsa_mem_read_u8(f->l.memory, bits + i / 8, &byte, NULL));
  fake_mem_u8(f->l.memory, bits + i / 8, (uint8_t)(byte | 1u << i % 8));
}

void
fake_opens_open(FakeOpens *f, uint64_t files, uint32_t fd, uint64_t file, bool close_on_exec)
{
  set_bit(f, OPEN_BITS(files), fd);
  if (close_on_exec)
    set_bit(f, CLOEXEC_BITS(files), fd);
  fake_mem_u64(f->l.memory, FD_ARRAY(files) + UINT64_C(8) * fd, file);
}

void
fake_opens_check_errors(FakeOpens *f, const char *expected)
{
  fake_linux_view_check_errors(&f->l, expected);
}
