/* From the kernel's own save area, which may be compacted, or a vCPU's registers. */
#include "parsers/linux/fpu.h"

#include "parsers/linux/vcpus.h"
#include "snap/error.h"

#include <string.h>

/* Where things are in an area. */
#define FCW_AT 0u
#define FSW_AT 2u
#define FTW_AT 4u
#define MXCSR_AT 24u
#define MXCSR_MASK_AT 28u
#define ST_AT 32u
#define XMM_AT 160u
#define RESERVED_AT 416u
#define FEATURES_AT 464u /* the first word of sw_reserved */
#define HEADER_AT 512u
#define EXTENDED_AT 576u
#define MAX_AREA 16384u

#define FCW_INITIAL 0x37fu
#define MXCSR_INITIAL 0x1f80u
#define MXCSR_MASK_USUAL 0xffffu

#define COMPACTED (UINT64_C(1) << 63) /* of XCOMP_BV */
#define FEATURE(i) (UINT64_C(1) << (i))
#define FP 0
#define SSE 1
#define YMM 2
#define OPMASK 5
#define ZMM_HIGH 6
#define ZMM_MORE 7
#define LEGACY (FEATURE(FP) | FEATURE(SSE))
#define N_COMPONENTS 20u

/* Bytes of each component; where it is in the standard format, 0: of the supervisor's; whether the
 * compacted one aligns it (CPUID leaf 0DH). */
static const struct {
  uint16_t size, at;
  bool aligned;
} components[N_COMPONENTS] = {
    [YMM] = {256, 576, false},    [3] = {64, 960, false}, /* MPX */
    [4] = {64, 1024, false},                              /* MPX */
    [OPMASK] = {64, 1088, false}, [ZMM_HIGH] = {512, 1152, false}, [ZMM_MORE] = {1024, 1664, false},
    [8] = {128, 0, false},     /* PT */
    [9] = {8, 2688, false},    /* PKRU */
    [10] = {8, 0, false},      /* PASID */
    [11] = {16, 0, false},     /* CET */
    [12] = {24, 0, false},     /* CET */
    [13] = {8, 0, false},      /* HDC */
    [14] = {48, 0, false},     /* UINTR */
    [15] = {808, 0, false},    /* LBR */
    [16] = {8, 0, false},      /* HWP */
    [17] = {64, 2752, true},   /* AMX */
    [18] = {8192, 2816, true}, /* AMX */
};

void
dacsa_linux_fpu_clear(DacsaLinuxFpu *fpu)
{
  g_clear_pointer(&fpu->area, g_byte_array_unref);
}

static uint64_t
get64(const uint8_t *at)
{
  uint64_t v;

  memcpy(&v, at, sizeof(v));
  return GUINT64_FROM_LE(v);
}

static void
put(uint8_t *at, uint64_t value, size_t len)
{
  const uint64_t le = GUINT64_TO_LE(value);

  memcpy(at, &le, len);
}

/* -- the save area -- */

/* Where a thread's registers are saved, and which features user mode has of them. */
typedef struct {
  const DacsaLinux *l;
  uint64_t fpu;   /* struct fpu */
  uint64_t state; /* union fpregs_state */
  uint64_t features;
} Saved;

static bool
find_features(Saved *s, uint64_t fpstate, GError **error)
{
  const uint64_t mask = dacsa_linux_symbol(s->l, S_XFEATURES_MASK);
  bool ok = true;

  if (dacsa_linux_has(s->l, M_FPSTATE_USER_XFEATURES))
    ok = dacsa_linux_get(s->l, fpstate, M_FPSTATE_USER_XFEATURES, &s->features, error);
  else if (mask != 0)
    ok = dacsa_mem_read_u64(s->l->memory, mask, &s->features, error);
  for (unsigned i = 0; i < 64; i++)
    if (i > SSE && (i >= N_COMPONENTS || components[i].at == 0))
      s->features &= ~FEATURE(i);
  return ok;
}

static bool
find_saved(const DacsaLinux *l, uint64_t task, Saved *ret, GError **error)
{
  uint64_t fpstate = 0;

  *ret = (Saved){.l = l};
  if (dacsa_linux_has(l, M_TASK_FPU))
    ret->fpu = task + dacsa_linux_offset(l, M_TASK_FPU);
  else if (dacsa_linux_size(l, T_TASK_STRUCT) != 0)
    ret->fpu = task + dacsa_linux_size(l, T_TASK_STRUCT); /* x86_task_fpu */
  else
    return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED, "the kernel does not say where the FPU is");
  if (!dacsa_linux_has(l, M_FPU_FPSTATE)) {
    ret->state = ret->fpu + dacsa_linux_offset(l, M_FPU_STATE);
    return find_features(ret, 0, error);
  }
  if (!dacsa_linux_get(l, ret->fpu, M_FPU_FPSTATE, &fpstate, error))
    return false;
  ret->state = fpstate + dacsa_linux_offset(l, M_FPSTATE_REGS);
  return find_features(ret, fpstate, error);
}

/* Where component i is in the save area: behind those before it that are there, or where this
 * processor has it, which the kernel knows. */
static uint64_t
component_at(const Saved *s, unsigned i, uint64_t xcomp_bv)
{
  const uint64_t offsets = dacsa_linux_symbol(s->l, S_XSTATE_OFFSETS);
  uint64_t at = EXTENDED_AT;
  uint32_t known;

  if (!(xcomp_bv & COMPACTED))
    return offsets != 0 && dacsa_mem_read_u32(s->l->memory, offsets + i * 4, &known, NULL) &&
                   known >= EXTENDED_AT && known < MAX_AREA
               ? known
               : components[i].at;
  for (unsigned j = YMM; j <= i; j++) {
    if (!(xcomp_bv & FEATURE(j)))
      continue;
    if (components[j].aligned)
      at = (at + 63) / 64 * 64;
    if (j < i)
      at += components[j].size;
  }
  return at;
}

static size_t
area_size(uint64_t features)
{
  size_t size = features & ~LEGACY ? EXTENDED_AT : DACSA_LINUX_FXSAVE_SIZE;

  for (unsigned i = YMM; i < N_COMPONENTS; i++)
    if (features & FEATURE(i))
      size = MAX(size, (size_t)components[i].at + components[i].size);
  return size;
}

/* A component that is in its initial state is not saved: what stands there is of another time. */
static void
set_initial(uint8_t *area, uint64_t xstate_bv)
{
  if (!(xstate_bv & FEATURE(FP))) {
    memset(area, 0, MXCSR_AT);
    put(area + FCW_AT, FCW_INITIAL, 2);
    memset(area + ST_AT, 0, XMM_AT - ST_AT);
  }
  if (!(xstate_bv & FEATURE(SSE)))
    memset(area + XMM_AT, 0, RESERVED_AT - XMM_AT);
  if (!(xstate_bv & (FEATURE(SSE) | FEATURE(YMM))))
    put(area + MXCSR_AT, MXCSR_INITIAL, 4);
}

/* Reads the save area into one in the standard format. */
static bool
read_saved(const Saved *s, GByteArray *ret, GError **error)
{
  const uint64_t features = s->features;
  DacsaMem *memory = s->l->memory;
  uint64_t xstate_bv, xcomp_bv;

  g_byte_array_set_size(ret, (guint)area_size(features));
  memset(ret->data, 0, ret->len);
  if (!dacsa_mem_read(memory, s->state, ret->data, DACSA_LINUX_FXSAVE_SIZE, error))
    return false;
  memset(ret->data + RESERVED_AT, 0, DACSA_LINUX_FXSAVE_SIZE - RESERVED_AT);
  if (ret->len == DACSA_LINUX_FXSAVE_SIZE)
    return true;
  if (!dacsa_mem_read_u64(memory, s->state + HEADER_AT, &xstate_bv, error) ||
      !dacsa_mem_read_u64(memory, s->state + HEADER_AT + 8, &xcomp_bv, error))
    return false;
  xstate_bv &= features;
  for (unsigned i = YMM; i < N_COMPONENTS; i++)
    if (xstate_bv & FEATURE(i) &&
        !dacsa_mem_read(memory, s->state + component_at(s, i, xcomp_bv),
                        ret->data + components[i].at, components[i].size, error))
      return false;
  set_initial(ret->data, xstate_bv);
  put(ret->data + FEATURES_AT, features, 8);
  put(ret->data + HEADER_AT, xstate_bv, 8);
  return true;
}

/* -- a vCPU's registers -- */

static void
put_words(uint8_t *at, const uint64_t *words, size_t n)
{
  for (size_t i = 0; i < n; i++)
    put(at + i * 8, words[i], 8);
}

static void
put_legacy(uint8_t *area, const DacsaCpuFpu *fpu)
{
  const unsigned top = fpu->fsw >> 11 & 7;
  const uint64_t mask = get64(area + MXCSR_AT) >> 32;

  memset(area, 0, RESERVED_AT);
  put(area + FCW_AT, fpu->fcw, 2);
  put(area + FSW_AT, fpu->fsw, 2);
  put(area + FTW_AT, fpu->ftw, 1);
  put(area + MXCSR_AT, fpu->mxcsr, 4);
  put(area + MXCSR_MASK_AT, mask != 0 ? mask : MXCSR_MASK_USUAL, 4);
  for (unsigned i = 0; i < 8; i++) {
    put(area + ST_AT + i * 16, fpu->st_mantissa[(top + i) & 7], 8);
    put(area + ST_AT + i * 16 + 8, fpu->st_exponent[(top + i) & 7], 2);
  }
  for (unsigned i = 0; i < 16; i++)
    put_words(area + XMM_AT + i * 16, fpu->vectors[i], 2);
}

/* Overwrites in the area what the vCPU's text has; the rest stays as it was saved. */
static void
put_live(GByteArray *area, uint64_t features, const DacsaCpuFpu *fpu)
{
  uint64_t live = LEGACY;

  put_legacy(area->data, fpu);
  if (area->len == DACSA_LINUX_FXSAVE_SIZE)
    return;
  if (fpu->vector_bytes >= 32)
    live |= features & FEATURE(YMM);
  if (fpu->vector_bytes == 64)
    live |= features & (FEATURE(OPMASK) | FEATURE(ZMM_HIGH) | FEATURE(ZMM_MORE));
  for (unsigned i = 0; i < 16; i++) {
    if (live & FEATURE(YMM))
      put_words(area->data + components[YMM].at + i * 16, fpu->vectors[i] + 2, 2);
    if (live & FEATURE(ZMM_HIGH))
      put_words(area->data + components[ZMM_HIGH].at + i * 32, fpu->vectors[i] + 4, 4);
    if (live & FEATURE(ZMM_MORE))
      put_words(area->data + components[ZMM_MORE].at + i * 64, fpu->vectors[16 + i], 8);
  }
  if (live & FEATURE(OPMASK))
    put_words(area->data + components[OPMASK].at, fpu->opmask, 8);
  put(area->data + HEADER_AT, get64(area->data + HEADER_AT) | live, 8);
}

/*
 * Whether a CPU that is in the kernel still has the thread's registers in its own
 * (arch/x86/include/asm/fpu/api.h and internal.h, fpregs_state_valid); else they are saved.
 */
static bool
is_live(const Saved *s, const DacsaLinuxVcpu *vcpu)
{
  uint64_t at, owner, last;

  if (vcpu->cpu->cpl == 3)
    return true;
  return dacsa_linux_per_cpu(s->l, S_FPREGS_OWNER, vcpu->number, &at, NULL) &&
         dacsa_mem_read_u64(s->l->memory, at, &owner, NULL) && owner == s->fpu &&
         dacsa_linux_get(s->l, s->fpu, M_FPU_LAST_CPU, &last, NULL) && last == vcpu->number;
}

bool
dacsa_linux_fpu(DacsaLinux *l, uint64_t task, DacsaLinuxFpu *ret, GError **error)
{
  const DacsaLinuxVcpu *vcpu = dacsa_linux_vcpu(l, task);
  g_auto(DacsaLinuxFpu) fpu = {g_byte_array_new(), false};
  Saved saved;

  if (!find_saved(l, task, &saved, error) || !read_saved(&saved, fpu.area, error))
    return false;
  if (vcpu && (!vcpu->cpu || !vcpu->cpu->has_fpu))
    return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED, "it runs on CPU %u, whose FPU is not known",
                      vcpu->number);
  fpu.from_vcpu = vcpu && is_live(&saved, vcpu);
  if (fpu.from_vcpu)
    put_live(fpu.area, saved.features, &vcpu->cpu->fpu);
  *ret = (DacsaLinuxFpu){g_steal_pointer(&fpu.area), fpu.from_vcpu};
  return true;
}
