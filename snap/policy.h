/*
 * What the operator wants for each VM: the settings of dacsa.conf(5) that are per VM. Each is given
 * as VALUE, for all VMs, or as VM=VALUE, which wins for that one; the later of two wins.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define DACSA_POLICY_MAX_METHODS 4u

/* An amount of memory: bytes, or so much of a whole. Both 0: none is given. */
typedef struct {
  uint64_t bytes;
  unsigned percent;
} DacsaAmount;

typedef struct {
  char *methods[DACSA_POLICY_MAX_METHODS + 1]; /* in the order of preference, NULL-terminated */
  DacsaAmount cow_limit;                       /* of all its snapshots together; of the VM's RAM */
  int64_t every_us;                            /* between scheduled snapshots; 0: no schedule */
  unsigned keep;                               /* scheduled snapshots, the newest */
} DacsaPolicy;

typedef enum {
  DACSA_POLICY_METHOD,    /* METHOD,METHOD...: names of snap/method.h; default fork */
  DACSA_POLICY_COW_LIMIT, /* 512M, 4G, 50% */
  DACSA_POLICY_EVERY,     /* 30s, 10m, 2h, 1d */
  DACSA_POLICY_KEEP,      /* a number from 1 on; default 3 */
  DACSA_N_POLICIES,
} DacsaPolicyKind;

/* Each a NULL-terminated list of [VM=]VALUE that dacsa_policy_check likes; may be NULL. Borrowed.
 */
typedef struct {
  const char *const *lists[DACSA_N_POLICIES];
} DacsaPolicies;

/* BAD_DATA, with what to write instead. */
bool dacsa_policy_check(DacsaPolicyKind kind, const char *value,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;

void dacsa_policy_find(const DacsaPolicies *policies, const char *vm, DacsaPolicy *ret);
void dacsa_policy_clear(DacsaPolicy *policy);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(DacsaPolicy, dacsa_policy_clear)

/* 512M (K, M, G, T are powers of 1024; none: bytes), or 50%. */
bool dacsa_amount_parse(const char *text, DacsaAmount *ret,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* In bytes, of a whole of so many; UINT64_MAX: there is no limit. */
uint64_t dacsa_amount_of(DacsaAmount amount, uint64_t whole);
