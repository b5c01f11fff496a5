/* The keeper's part in a recovery (snap/recover.h): a worker for it, and another should that one be
 * killed, too, until the journal is gone. */
#pragma once

/* over(data) is called from the main loop when it is done. Strings are copied. */
void dacsa_rescue_start(const char *state_path, const char *vm, const char *snapshot,
                        void (*over)(void *data), void *data);
