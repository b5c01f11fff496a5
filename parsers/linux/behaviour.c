/* The kernel's texts and code, looked at for how its /proc prints. */
#include "parsers/linux/behaviour.h"

#include <string.h>

#define MAX_RODATA (64u << 20)
#define CHUNK (256u << 10)
#define MAX_CODE 1536u /* of a function: what is looked for is within */
#define MAX_HEAD 256u
#define FMODE_NOACCOUNT 0x20000000u /* include/linux/fs.h */
#define WHERE "processes/*/status"

/* fs/proc/array.c and what it calls. All end in ":\t", which is what is searched for. */
static const char *const texts[DACSA_LINUX_N_LINES] = {
    [DACSA_LINUX_LINE_ANY] = "",
    [DACSA_LINUX_LINE_KTHREAD] = "Kthread:\t",
    [DACSA_LINUX_LINE_HUGETLB_PAGES] = "HugetlbPages:\t",
    [DACSA_LINUX_LINE_CORE_DUMPING] = "CoreDumping:\t",
    [DACSA_LINUX_LINE_THP_ENABLED] = "THP_enabled:\t",
    [DACSA_LINUX_LINE_UNTAG_MASK] = "untag_mask:\t",
    [DACSA_LINUX_LINE_SECCOMP] = "Seccomp:\t",
    [DACSA_LINUX_LINE_SECCOMP_FILTERS] = "Seccomp_filters:\t",
    [DACSA_LINUX_LINE_STORE_BYPASS] = "Speculation_Store_Bypass:\t",
    [DACSA_LINUX_LINE_INDIRECT_BRANCH] = "SpeculationIndirectBranch:\t",
    [DACSA_LINUX_LINE_MEMS_ALLOWED] = "Mems_allowed:\t",
    [DACSA_LINUX_LINE_FEATURES] = "x86_Thread_features:\t",
};

#define LONGEST 32u /* text: what two chunks have in common */

/* Marks the lines whose text ends in buf at `end`. */
static void
mark_lines(bool *lines, const char *buf, size_t end)
{
  for (size_t i = DACSA_LINUX_LINE_ANY + 1; i < DACSA_LINUX_N_LINES; i++) {
    size_t len = strlen(texts[i]);

    if (len <= end && memcmp(buf + end - len, texts[i], len) == 0)
      lines[i] = true;
  }
}

static void
look_at_chunk(bool *lines, const char *buf, size_t len)
{
  for (const char *at = buf; (at = memmem(at, len - (size_t)(at - buf), ":\t", 2)); at += 2)
    mark_lines(lines, buf, (size_t)(at - buf) + 2);
}

/* [start, end) of the kernel's constants. What cannot be read is passed over, a page at a time. */
static void
look_at_texts(const DacsaLinux *l, bool *lines, uint64_t start, uint64_t end)
{
  const uint64_t size = MIN(end - start, (uint64_t)MAX_RODATA);
  g_autofree char *buf = g_malloc(LONGEST + CHUNK);
  size_t kept = 0; /* of the chunk before, at the start of buf */

  for (uint64_t done = 0; done < size;) {
    size_t want = (size_t)MIN(size - done, (uint64_t)CHUNK);
    size_t got = dacsa_mem_read_some(l->memory, start + done, buf + kept, want);
    size_t len = kept + got;

    look_at_chunk(lines, buf, len);
    done += got;
    if (got < want) {
      done += DACSA_PAGE_SIZE - (start + done) % DACSA_PAGE_SIZE;
      kept = 0;
    } else {
      kept = MIN(len, LONGEST);
      memmove(buf, buf + len - kept, kept);
    }
  }
}

static void *
find_lines(DacsaLinux *l)
{
  bool *lines = g_new0(bool, DACSA_LINUX_N_LINES);
  uint64_t start = dacsa_linux_symbol(l, S_START_RODATA);
  uint64_t end = dacsa_linux_symbol(l, S_END_RODATA);

  lines[DACSA_LINUX_LINE_ANY] = true;
  if (start == 0 || end <= start) {
    dacsa_errors_add(l->errors, WHERE,
                     "where the kernel's texts are is not known, so lines that not every kernel "
                     "has are left out");
    return lines;
  }
  /* Types are many and no text. */
  bool split = l->kernel->btf > start && l->kernel->btf_end < end;
  look_at_texts(l, lines, start, split ? l->kernel->btf : end);
  if (split)
    look_at_texts(l, lines, l->kernel->btf_end, end);
  return lines;
}

const bool *
dacsa_linux_status_lines(DacsaLinux *l)
{
  return dacsa_linux_once(l, DACSA_LINUX_ONCE_STATUS_LINES, find_lines, g_free);
}

/* Whether the first bytes of a function have a call (e8, relative) of another. */
static bool
calls(const DacsaLinux *l, uint64_t function, uint64_t callee)
{
  uint8_t code[MAX_HEAD];
  size_t len =
      function && callee ? dacsa_mem_read_some(l->memory, function, code, sizeof(code)) : 0;
  int32_t to;

  for (size_t i = 0; i + 5 <= len; i++) {
    memcpy(&to, code + i + 1, sizeof(to));
    if (code[i] == 0xe8 && function + i + 5 + (uint64_t)(int64_t)GINT32_FROM_LE(to) == callee)
      return true;
  }
  return false;
}

/* The condition of the jump at code, of which len bytes are there; -1: it is no conditional one. */
static int
jump_condition(const uint8_t *code, size_t len)
{
  if (len >= 2 && code[0] >> 4 == 7)
    return code[0] & 0xf;
  return len >= 6 && code[0] == 0x0f && code[1] >> 4 == 8 ? code[1] & 0xf : -1;
}

/*
 * The heap's rule changed without any name changing: `<=` became `<` (include/linux/mm.h,
 * vma_is_initial_heap). The comparison of a mapping's start with mm->brk is a cmp (39 or 3b) whose
 * 32-bit displacement is that member's offset; the jump behind it tells `<` from `<=`.
 */
static DacsaLinuxHeapRule
heap_rule(const DacsaLinux *l)
{
  uint64_t function = dacsa_linux_symbol(l, S_VMA_NAME);
  uint8_t code[MAX_CODE];
  size_t len = function ? dacsa_mem_read_some(l->memory, function, code, sizeof(code)) : 0;
  uint32_t brk = (uint32_t)dacsa_linux_offset(l, M_MM_BRK);
  uint32_t displacement;

  for (size_t i = 0; i + 7 < len && dacsa_linux_has(l, M_MM_BRK); i++) {
    bool memory_first = code[i + 1] == 0x39; /* brk is compared with the register */

    memcpy(&displacement, code + i + 3, sizeof(displacement));
    if ((code[i] & 0xf8) != 0x48 || (!memory_first && code[i + 1] != 0x3b) ||
        code[i + 2] >> 6 != 2 || (code[i + 2] & 7) == 4 || GUINT32_FROM_LE(displacement) != brk)
      continue;
    int condition = jump_condition(code + i + 7, len - i - 7);
    bool below_or_not = condition == 2 || condition == 3; /* jb, jae */
    if (below_or_not || condition == 6 || condition == 7) /* jbe, ja */
      return below_or_not == memory_first ? DACSA_LINUX_HEAP_TOUCHES : DACSA_LINUX_HEAP_OVERLAPS;
  }
  return DACSA_LINUX_HEAP_UNKNOWN;
}

/*
 * FMODE_BACKING has been more than one bit. alloc_empty_backing_file (fs/file_table.c) sets it,
 * together with FMODE_NOACCOUNT, by an `or` (81 /1) of file.f_mode with a constant.
 */
static uint32_t
backing_file(const DacsaLinux *l)
{
  uint64_t function = dacsa_linux_symbol(l, S_ALLOC_BACKING_FILE);
  uint64_t offset = dacsa_linux_offset(l, M_FILE_MODE);
  uint8_t code[MAX_HEAD];
  size_t len = function ? dacsa_mem_read_some(l->memory, function, code, sizeof(code)) : 0;
  uint32_t bits;

  for (size_t i = 0; i + 7 <= len; i++) {
    /* A displacement of 8 bits, no index. */
    if (code[i] != 0x81 || (code[i + 1] & 0xf8) != 0x48 || (code[i + 1] & 7) == 4 ||
        code[i + 2] != offset)
      continue;
    memcpy(&bits, code + i + 3, sizeof(bits));
    bits = GUINT32_FROM_LE(bits);
    if (bits & FMODE_NOACCOUNT && (bits &= ~FMODE_NOACCOUNT) != 0 && (bits & (bits - 1)) == 0)
      return bits;
  }
  if (function)
    dacsa_errors_add(l->errors, "processes/*/maps",
                     "files of stacked file systems are shown as what is behind them");
  return 0;
}

static void *
make_behaviour(DacsaLinux *l)
{
  DacsaLinuxBehaviour *b = g_new0(DacsaLinuxBehaviour, 1);

  b->counters_are_summed =
      calls(l, dacsa_linux_symbol(l, S_TASK_MEM), dacsa_linux_symbol(l, S_PERCPU_COUNTER_SUM));
  b->heap = heap_rule(l);
  b->backing_file = backing_file(l);
  return b;
}

const DacsaLinuxBehaviour *
dacsa_linux_behaviour(DacsaLinux *l)
{
  return dacsa_linux_once(l, DACSA_LINUX_ONCE_BEHAVIOUR, make_behaviour, g_free);
}
