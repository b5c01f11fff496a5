/* Chains of system calls: their frames, byte by byte, and one that really runs, in a child of this
 * test that is traced only for as long as it takes to point it at the first frame. */
#include "check.h"
#include "own-gadgets.h"

#include "snap/bytes.h"
#include "snap/sigchain.h"

#include <elf.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* A frame: the restorer's address, then struct ucontext (asm/ucontext.h, asm/sigcontext.h). */
#define UC 8u
#define UC_STACK_FLAGS (UC + 24)
#define UC_R8 (UC + 40)
#define UC_RDI (UC + 104)
#define UC_RSI (UC + 112)
#define UC_RBX (UC + 128)
#define UC_RDX (UC + 136)
#define UC_RAX (UC + 144)
#define UC_RSP (UC + 160)
#define UC_RIP (UC + 168)
#define UC_EFLAGS (UC + 176)
#define UC_CS (UC + 184)
#define UC_FPSTATE (UC + 224)
#define UC_SIGMASK (UC + 296)

static const DacsaGadgets gadgets = {0x7f0000001000, 0x7f0000002000};

static uint64_t
word(const uint8_t *frame, size_t offset)
{
  uint64_t value = 0;

  g_assert_true(dacsa_bytes_u64(dacsa_bytes(frame, DACSA_SIGCHAIN_FRAME), offset, &value));
  return value;
}

static void
test_step_layout(void)
{
  const DacsaSyscall call = {SYS_mmap, {11, 12, 13, 14, 15, 16}};
  uint8_t frame[DACSA_SIGCHAIN_FRAME];

  dacsa_sigchain_step(frame, &gadgets, &call, 0x7ffc00000040);
  g_assert_cmphex(word(frame, 0), ==, gadgets.restorer);
  g_assert_cmphex(word(frame, UC), ==, 7); /* uc_flags: FP_XSTATE, SIGCONTEXT_SS, STRICT_RESTORE */
  g_assert_cmphex(word(frame, UC_RIP), ==, gadgets.syscall_ret);
  g_assert_cmphex(word(frame, UC_RSP), ==, 0x7ffc00000040);
  g_assert_cmphex(word(frame, UC_RAX), ==, SYS_mmap);
  g_assert_cmphex(word(frame, UC_RDI), ==, 11);
  g_assert_cmphex(word(frame, UC_RSI), ==, 12);
  g_assert_cmphex(word(frame, UC_RDX), ==, 13);
  g_assert_cmphex(word(frame, UC_R8 + 16), ==, 14); /* r10 */
  g_assert_cmphex(word(frame, UC_R8), ==, 15);
  g_assert_cmphex(word(frame, UC_R8 + 8), ==, 16);
  g_assert_cmphex(word(frame, UC_EFLAGS), ==, 0x202);
  g_assert_cmphex(word(frame, UC_CS), ==, 0x002b000000000033); /* cs, and ss at the top */
  g_assert_cmphex(word(frame, UC_FPSTATE), ==, 0);
  g_assert_cmphex(word(frame, UC_SIGMASK), ==, UINT64_MAX);
  g_assert_cmphex((uint32_t)word(frame, UC_STACK_FLAGS), ==, 0x7fffffff);
}

static void
test_last_layout(void)
{
  DacsaThreadState state = {.regs = {.rip = 0x400123,
                                     .rsp = 0x7ffc00001000,
                                     .rax = 0x1122,
                                     .rbx = 0x3344,
                                     .r15 = 0x1515,
                                     .eflags = 0x246,
                                     .orig_rax = (unsigned long long)-1},
                            .sigmask = 0x5566};
  uint8_t frame[DACSA_SIGCHAIN_FRAME];

  dacsa_sigchain_last(frame, &gadgets, &state, 0x7ffc00000100);
  g_assert_cmphex(word(frame, 0), ==, gadgets.restorer);
  g_assert_cmphex(word(frame, UC_RIP), ==, 0x400123);
  g_assert_cmphex(word(frame, UC_RSP), ==, 0x7ffc00001000);
  g_assert_cmphex(word(frame, UC_RAX), ==, 0x1122);
  g_assert_cmphex(word(frame, UC_RBX), ==, 0x3344);
  g_assert_cmphex(word(frame, UC_R8 + 7 * 8), ==, 0x1515);
  g_assert_cmphex(word(frame, UC_EFLAGS), ==, 0x246);
  g_assert_cmphex(word(frame, UC_FPSTATE), ==, 0x7ffc00000100);
  g_assert_cmphex(word(frame, UC_SIGMASK), ==, 0x5566);
}

static void
test_restarts(void)
{
  static const struct {
    int64_t rax, orig_rax, expected_rax;
    int rip_back;
  } cases[] = {
      {-512, SYS_read, SYS_read, 2},    /* ERESTARTSYS */
      {-513, SYS_write, SYS_write, 2},  /* ERESTARTNOINTR */
      {-514, SYS_ppoll, SYS_ppoll, 2},  /* ERESTARTNOHAND */
      {-516, SYS_nanosleep, -EINTR, 0}, /* ERESTART_RESTARTBLOCK: lost with rt_sigreturn */
      {-EAGAIN, SYS_read, -EAGAIN, 0},  /* its own result */
      {12, SYS_read, 12, 0},
      {-514, -1, -514, 0}, /* not in a system call: a number like any other */
  };

  for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
    DacsaThreadState state = {.regs = {.rip = 0x400123,
                                       .rax = (uint64_t)cases[i].rax,
                                       .orig_rax = (uint64_t)cases[i].orig_rax}};
    uint8_t frame[DACSA_SIGCHAIN_FRAME];

    g_test_message("case %zu", i);
    dacsa_sigchain_last(frame, &gadgets, &state, 0);
    g_assert_cmphex(word(frame, UC_RAX), ==, (uint64_t)cases[i].expected_rax);
    g_assert_cmphex(word(frame, UC_RIP), ==, 0x400123u - (unsigned)cases[i].rip_back);
  }
}

static void
test_gadgets(void)
{
  static const uint8_t code[] = {0x90, 0x0f, 0x05, 0xc3, 0x90, 0x48, 0xc7, 0xc0,
                                 0x0f, 0x00, 0x00, 0x00, 0x0f, 0x05, 0x0f, 0x05};
  DacsaGadgets found = {0, 0};

  dacsa_gadgets_search(&found, code, 12, 0x1000); /* the second is cut short */
  g_assert_cmphex(found.syscall_ret, ==, 0x1001);
  g_assert_cmphex(found.restorer, ==, 0);
  dacsa_gadgets_search(&found, code, sizeof(code), 0x2000);
  g_assert_cmphex(found.syscall_ret, ==, 0x1001); /* what was found stays */
  g_assert_cmphex(found.restorer, ==, 0x2005);
}

/* An XSAVE image as ptrace gives it: x87 and SSE, and what `features` adds. */
static GByteArray *
xstate_new(uint64_t xcr0, uint64_t in_use, guint len)
{
  GByteArray *xstate = g_byte_array_new();

  g_byte_array_set_size(xstate, len);
  memset(xstate->data, 0x5a, len);
  xcr0 = GUINT64_TO_LE(xcr0);
  in_use = GUINT64_TO_LE(in_use);
  memcpy(xstate->data + 464, &xcr0, 8);
  memcpy(xstate->data + 512, &in_use, 8);
  return xstate;
}

static void
test_fpstate(void)
{
  g_autoptr(GByteArray) xstate = xstate_new(3, 3, 576);
  g_autoptr(GByteArray) image = NULL;
  g_autoptr(GError) error = NULL;
  uint32_t magic1 = 0, extended_size = 0, xstate_size = 0, magic2 = 0;
  uint64_t features = 0;

  CHECK_OK(dacsa_sigchain_fpstate(xstate, &image, &error), error);
  DacsaBytes b = dacsa_bytes(image->data, image->len);
  g_assert_cmpuint(image->len, ==, 580);
  g_assert_true(dacsa_bytes_u32(b, 464, &magic1) && dacsa_bytes_u32(b, 468, &extended_size));
  g_assert_true(dacsa_bytes_u64(b, 472, &features) && dacsa_bytes_u32(b, 480, &xstate_size));
  g_assert_true(dacsa_bytes_u32(b, 576, &magic2));
  g_assert_cmphex(magic1, ==, 0x46505853);
  g_assert_cmphex(magic2, ==, 0x46505845);
  g_assert_cmphex(features, ==, 3);
  g_assert_cmpuint(xstate_size, ==, 576);
  g_assert_cmpuint(extended_size, ==, 580);
  g_assert_cmpmem(image->data, 464, xstate->data, 464);
}

static void
test_fpstate_refused(void)
{
  const uint64_t amx = 1u << 17 | 1u << 18;
  g_autoptr(GByteArray) short_one = xstate_new(3, 3, 600);
  g_autoptr(GByteArray) tiles = xstate_new(3 | amx, 3 | 1u << 18, 16384);
  g_autoptr(GByteArray) idle_tiles = xstate_new(3 | amx, 3, 16384);
  g_autoptr(GByteArray) image = NULL;
  g_autoptr(GError) error = NULL;
  uint64_t features = 0;

  g_byte_array_set_size(short_one, 575); /* the header is not whole */
  CHECK_FAILS(dacsa_sigchain_fpstate(short_one, &image, &error), error, DACSA_ERROR_UNSUPPORTED);
  g_byte_array_set_size(short_one, 100);
  CHECK_FAILS(dacsa_sigchain_fpstate(short_one, &image, &error), error, DACSA_ERROR_UNSUPPORTED);
  CHECK_FAILS(dacsa_sigchain_fpstate(tiles, &image, &error), error, DACSA_ERROR_UNSUPPORTED);
  /* A processor with AMX, a thread that does not use it: left out. */
  CHECK_OK(dacsa_sigchain_fpstate(idle_tiles, &image, &error), error);
  g_assert_true(dacsa_bytes_u64(dacsa_bytes(image->data, image->len), 472, &features));
  g_assert_cmphex(features, ==, 3);
}

static void
test_enter(void)
{
  struct user_regs_struct regs = {.rip = 1, .rsp = 2, .rax = 3, .orig_rax = SYS_ppoll, .rbx = 4};

  dacsa_sigchain_enter(&regs, &gadgets, 0x7ffc00000040);
  g_assert_cmphex(regs.rip, ==, gadgets.restorer);
  g_assert_cmphex(regs.rsp, ==, 0x7ffc00000048);
  g_assert_cmphex(regs.orig_rax, ==, UINT64_MAX);
  g_assert_cmphex(regs.rbx, ==, 4);
}

/* -- one that runs -- */

#define CHAIN_SPACE 65536u
#define N_REGISTERS 11u

/* In memory that this test and its child share. The assembly below knows the offsets. */
typedef struct {
  uint32_t go, ready;              /* 0, 4 */
  uint64_t registers[N_REGISTERS]; /* 8: r8 - r15, rbx, rdx, rsi, as the child found them */
  uint64_t carry;                  /* 96 */
  uint64_t unused[3];
  uint8_t vector_in[2][32], vector_out[2][32]; /* 128, 192: ymm0 and ymm15 */
  uint64_t sigmask;
  int64_t result; /* of the call the child was blocked in */
  int pipe[2];
  uint8_t payload[16];
  uint8_t chain[CHAIN_SPACE] __attribute__((aligned(64)));
} Shared;

G_STATIC_ASSERT(G_STRUCT_OFFSET(Shared, registers) == 8);
G_STATIC_ASSERT(G_STRUCT_OFFSET(Shared, carry) == 96);
G_STATIC_ASSERT(G_STRUCT_OFFSET(Shared, vector_in) == 128);

/* Fills registers, waits for `go` without changing a flag, stores what the registers then hold. */
#define SPIN(load, store)                                                                          \
  __asm__ volatile("movabs $0x0808080808080808, %%r8\n\t"                                          \
                   "movabs $0x0909090909090909, %%r9\n\t"                                          \
                   "movabs $0x1010101010101010, %%r10\n\t"                                         \
                   "movabs $0x1111111111111111, %%r11\n\t"                                         \
                   "movabs $0x1212121212121212, %%r12\n\t"                                         \
                   "movabs $0x1313131313131313, %%r13\n\t"                                         \
                   "movabs $0x1414141414141414, %%r14\n\t"                                         \
                   "movabs $0x1515151515151515, %%r15\n\t"                                         \
                   "movabs $0x1616161616161616, %%rbx\n\t"                                         \
                   "movabs $0x1717171717171717, %%rdx\n\t"                                         \
                   "movabs $0x1818181818181818, %%rsi\n\t" load "stc\n\t"                          \
                   "movl $1, 4(%%rdi)\n"                                                           \
                   "1:\tmovl (%%rdi), %%ecx\n\t"                                                   \
                   "jrcxz 1b\n\t"                                                                  \
                   "movq %%r8, 8(%%rdi)\n\tmovq %%r9, 16(%%rdi)\n\t"                               \
                   "movq %%r10, 24(%%rdi)\n\tmovq %%r11, 32(%%rdi)\n\t"                            \
                   "movq %%r12, 40(%%rdi)\n\tmovq %%r13, 48(%%rdi)\n\t"                            \
                   "movq %%r14, 56(%%rdi)\n\tmovq %%r15, 64(%%rdi)\n\t"                            \
                   "movq %%rbx, 72(%%rdi)\n\tmovq %%rdx, 80(%%rdi)\n\t"                            \
                   "movq %%rsi, 88(%%rdi)\n\t" store "setc 96(%%rdi)"                              \
                   :                                                                               \
                   : "D"(shared)                                                                   \
                   : "rcx", "rdx", "rsi", "rbx", "r8", "r9", "r10", "r11", "r12", "r13", "r14",    \
                     "r15", "xmm0", "xmm15", "memory", "cc")

static void
spin_avx(Shared *shared)
{
  SPIN("vmovdqu 128(%%rdi), %%ymm0\n\tvmovdqu 160(%%rdi), %%ymm15\n\t",
       "vmovdqu %%ymm0, 192(%%rdi)\n\tvmovdqu %%ymm15, 224(%%rdi)\n\t");
}

static void
spin_sse(Shared *shared)
{
  SPIN("movdqu 128(%%rdi), %%xmm0\n\tmovdqu 160(%%rdi), %%xmm15\n\t",
       "movdqu %%xmm0, 192(%%rdi)\n\tmovdqu %%xmm15, 224(%%rdi)\n\t");
}

static void
child_spins(Shared *shared)
{
  if (__builtin_cpu_supports("avx"))
    spin_avx(shared);
  else
    spin_sse(shared);
}

static void
child_polls(Shared *shared)
{
  struct pollfd p = {.fd = shared->pipe[0], .events = POLLIN};
  struct timespec forever = {1000, 0};

  shared->ready = 1;
  shared->result = ppoll(&p, 1, &forever, NULL);
}

static void
child_sleeps(Shared *shared)
{
  struct timespec forever = {1000, 0};

  shared->ready = 1;
  shared->result = syscall(SYS_nanosleep, &forever, NULL) < 0 ? -errno : 0;
}

typedef struct {
  Shared *shared;
  pid_t child;
  DacsaGadgets gadgets;
  int out[2]; /* a pipe that the chain writes to */
} Fixture;

/* Forks a child that runs func and then tells its signal mask. */
static void
set_up(Fixture *f, void (*func)(Shared *shared))
{
  sigset_t mask;

  *f = (Fixture){.child = -1};
  f->shared = mmap(NULL, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  g_assert_true(f->shared != MAP_FAILED);
  memset(f->shared->vector_in, 0xc3, sizeof(f->shared->vector_in));
  memset(f->shared->vector_in[1], 0x3c, sizeof(f->shared->vector_in[1]));
  own_gadgets_find(&f->gadgets);
  g_assert_cmpint(pipe(f->out), ==, 0);
  g_assert_cmpint(pipe(f->shared->pipe), ==, 0);
  f->child = fork();
  g_assert_cmpint(f->child, >=, 0);
  if (f->child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* if the test fails */
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR2);
    sigprocmask(SIG_SETMASK, &mask, NULL);
    func(f->shared);
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, NULL, &f->shared->sigmask, sizeof(uint64_t));
    _exit(17);
  }
  while (*(volatile uint32_t *)&f->shared->ready == 0)
    g_usleep(100);
  g_usleep(2000); /* into the system call, where there is one */
}

static void
tear_down(Fixture *f)
{
  if (f->child > 0) {
    kill(f->child, SIGKILL);
    waitpid(f->child, NULL, __WALL);
  }
  for (int i = 0; i < 2; i++) {
    close(f->out[i]);
    close(f->shared->pipe[i]);
  }
  munmap(f->shared, sizeof(Shared));
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Fixture, tear_down)

/* Stops the child; false: this process may not trace, and the test is skipped. */
static bool
stop_child(Fixture *f, DacsaThreadState *state)
{
  int status;
  guint8 buf[16384];
  struct iovec xstate = {buf, sizeof(buf)};

  if (ptrace(PTRACE_SEIZE, f->child, 0, 0) < 0) {
    g_test_skip("ptrace is not permitted here");
    return false;
  }
  g_assert_cmpint(ptrace(PTRACE_INTERRUPT, f->child, 0, 0), ==, 0);
  g_assert_cmpint(waitpid(f->child, &status, 0), ==, f->child);
  g_assert_true(WIFSTOPPED(status));
  g_assert_cmpint(ptrace(PTRACE_GETREGS, f->child, 0, &state->regs), ==, 0);
  g_assert_cmpint(ptrace(PTRACE_GETSIGMASK, f->child, 8, &state->sigmask), ==, 0);
  g_assert_cmpint(ptrace(PTRACE_GETREGSET, f->child, NT_X86_XSTATE, &xstate), ==, 0);
  state->xstate = g_byte_array_append(g_byte_array_new(), buf, (guint)xstate.iov_len);
  return true;
}

/* Writes the chain of these calls to shared memory, points the child at it and lets it go. */
static void
run_chain(Fixture *f, const DacsaThreadState *state, const DacsaSyscall *calls, size_t n)
{
  uint8_t *frames = f->shared->chain;
  uint8_t *fp_at = frames + CHAIN_SPACE / 2;
  struct user_regs_struct regs = state->regs;
  g_autoptr(GByteArray) fpstate = NULL;
  g_autoptr(GError) error = NULL;
  uint64_t all = UINT64_MAX;

  CHECK_OK(dacsa_sigchain_fpstate(state->xstate, &fpstate, &error), error);
  g_assert_cmpuint((n + 1) * DACSA_SIGCHAIN_FRAME, <=, CHAIN_SPACE / 2);
  g_assert_cmpuint(fpstate->len, <=, CHAIN_SPACE / 2);
  for (size_t i = 0; i < n; i++)
    dacsa_sigchain_step(frames + i * DACSA_SIGCHAIN_FRAME, &f->gadgets, &calls[i],
                        (uintptr_t)frames + (i + 1) * DACSA_SIGCHAIN_FRAME);
  dacsa_sigchain_last(frames + n * DACSA_SIGCHAIN_FRAME, &f->gadgets, state, (uintptr_t)fp_at);
  memcpy(fp_at, fpstate->data, fpstate->len);
  dacsa_sigchain_enter(&regs, &f->gadgets, (uintptr_t)frames);
  g_assert_cmpint(ptrace(PTRACE_SETREGS, f->child, 0, &regs), ==, 0);
  g_assert_cmpint(ptrace(PTRACE_SETSIGMASK, f->child, 8, &all), ==, 0);
  g_assert_cmpint(ptrace(PTRACE_DETACH, f->child, 0, 0), ==, 0);
}

/* The calls of every chain here: all registers for arguments are used by one of them. */
static void
run_usual_chain(Fixture *f, const DacsaThreadState *state)
{
  const uint64_t at = (uintptr_t)f->shared->payload;
  struct iovec *iov = (struct iovec *)(void *)(f->shared->chain + CHAIN_SPACE - 64);
  iov[0] = (struct iovec){(void *)(uintptr_t)at, 5};
  iov[1] = (struct iovec){f->shared->payload + 8, 5};
  const DacsaSyscall calls[] = {
      {SYS_write, {(uint64_t)f->out[1], at, 5}},
      {SYS_process_vm_writev,
       {(uint64_t)f->child, (uintptr_t)&iov[0], 1, (uintptr_t)&iov[1], 1, 0}},
      {-1, {0}}, /* fails, and the chain goes on */
      {SYS_write, {(uint64_t)f->out[1], at + 8, 5}},
  };
  char got[11] = "";
  size_t n = 0;

  memcpy(f->shared->payload, "abcde", 5);
  run_chain(f, state, calls, G_N_ELEMENTS(calls));
  while (n < 10) {
    ssize_t more = read(f->out[0], got + n, 10 - n);

    g_assert_cmpint((int)more, >, 0);
    n += (size_t)more;
  }
  g_assert_cmpstr(got, ==, "abcdeabcde");
}

static void
check_exit(Fixture *f)
{
  int status;

  g_assert_cmpint(waitpid(f->child, &status, 0), ==, f->child);
  f->child = -1;
  g_assert_true(WIFEXITED(status));
  g_assert_cmpint(WEXITSTATUS(status), ==, 17);
  g_assert_cmphex(f->shared->sigmask, ==, UINT64_C(1) << (SIGUSR2 - 1));
}

static void
test_run_registers(void)
{
  static const uint64_t expected[N_REGISTERS] = {
      0x0808080808080808, 0x0909090909090909, 0x1010101010101010, 0x1111111111111111,
      0x1212121212121212, 0x1313131313131313, 0x1414141414141414, 0x1515151515151515,
      0x1616161616161616, 0x1717171717171717, 0x1818181818181818};
  const size_t vector = __builtin_cpu_supports("avx") ? 32 : 16;
  g_auto(Fixture) f;
  DacsaThreadState state = {0};

  set_up(&f, child_spins);
  if (!stop_child(&f, &state))
    return;
  run_usual_chain(&f, &state);
  g_byte_array_unref(state.xstate);
  f.shared->go = 1;
  check_exit(&f);
  for (size_t i = 0; i < N_REGISTERS; i++)
    g_assert_cmphex(f.shared->registers[i], ==, expected[i]);
  g_assert_cmphex(f.shared->carry, ==, 1);
  for (size_t i = 0; i < 2; i++)
    g_assert_cmpmem(f.shared->vector_out[i], vector, f.shared->vector_in[i], vector);
}

/* A thread blocked in ppoll, as QEMU's is, must wait on as if nothing had been. */
static void
test_run_restarts_ppoll(void)
{
  g_auto(Fixture) f;
  DacsaThreadState state = {0};

  set_up(&f, child_polls);
  if (!stop_child(&f, &state))
    return;
  g_assert_cmpint((int64_t)state.regs.rax, ==, -514);
  run_usual_chain(&f, &state);
  g_byte_array_unref(state.xstate);
  g_assert_cmpint(write(f.shared->pipe[1], "x", 1), ==, 1);
  check_exit(&f);
  g_assert_cmpint(f.shared->result, ==, 1);
}

static void
test_run_interrupts_sleep(void)
{
  g_auto(Fixture) f;
  DacsaThreadState state = {0};

  set_up(&f, child_sleeps);
  if (!stop_child(&f, &state))
    return;
  g_assert_cmpint((int64_t)state.regs.rax, ==, -516);
  run_usual_chain(&f, &state);
  g_byte_array_unref(state.xstate);
  check_exit(&f);
  g_assert_cmpint(f.shared->result, ==, -EINTR);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/sigchain/step", test_step_layout);
  g_test_add_func("/sigchain/last", test_last_layout);
  g_test_add_func("/sigchain/restarts", test_restarts);
  g_test_add_func("/sigchain/gadgets", test_gadgets);
  g_test_add_func("/sigchain/fpstate", test_fpstate);
  g_test_add_func("/sigchain/fpstate-refused", test_fpstate_refused);
  g_test_add_func("/sigchain/enter", test_enter);
  g_test_add_func("/sigchain/run/registers", test_run_registers);
  g_test_add_func("/sigchain/run/restarts-ppoll", test_run_restarts_ppoll);
  g_test_add_func("/sigchain/run/interrupts-sleep", test_run_interrupts_sleep);
  return g_test_run();
}
