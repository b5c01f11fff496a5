/* Keys of content. */
#include "parsers/scan/salt.h"

#include <openssl/evp.h>
#include <string.h>
#include <sys/random.h>

void
dacsa_scan_salt_init(DacsaScanSalt *salt)
{
  uint8_t *at = (uint8_t *)salt;

  for (size_t done = 0; done < sizeof(*salt);) {
    ssize_t n = getrandom(at + done, sizeof(*salt) - done, 0);

    if (n > 0)
      done += (size_t)n;
  }
}

static EVP_MD_CTX *
thread_context(void)
{
  static GPrivate context = G_PRIVATE_INIT((GDestroyNotify)EVP_MD_CTX_free);

  if (!g_private_get(&context))
    g_private_set(&context, EVP_MD_CTX_new());
  return g_private_get(&context);
}

void
dacsa_scan_key_content(const DacsaScanSalt *salt, const void *bytes, size_t len, DacsaScanKey *ret)
{
  EVP_MD_CTX *context = thread_context();
  uint8_t digest[EVP_MAX_MD_SIZE];

  /* SHA-256 into memory cannot fail, and a key of garbage would be one that nothing has. */
  memset(digest, 0, sizeof(digest));
  EVP_DigestInit_ex(context, EVP_sha256(), NULL);
  EVP_DigestUpdate(context, salt->content, sizeof(salt->content));
  EVP_DigestUpdate(context, bytes, len);
  EVP_DigestFinal_ex(context, digest, NULL);
  memcpy(ret, digest, sizeof(*ret));
}

void
dacsa_scan_key_sequence(const DacsaScanSalt *salt, const DacsaScanKey *pages, guint n,
                        DacsaScanKey *ret)
{
  __extension__ unsigned __int128 sum = n;

  for (guint i = 0; i < n; i++)
    sum += (__extension__(unsigned __int128)(pages[i].a + salt->sequence[2 * i])) *
           (pages[i].b + salt->sequence[2 * i + 1]);
  *ret = (DacsaScanKey){(uint64_t)(sum >> 64), (uint64_t)sum};
}

guint
dacsa_scan_key_hash(gconstpointer key)
{
  return (guint)((const DacsaScanKey *)key)->a;
}

gboolean
dacsa_scan_key_equal(gconstpointer a, gconstpointer b)
{
  return memcmp(a, b, sizeof(DacsaScanKey)) == 0;
}
