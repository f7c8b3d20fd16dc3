#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "py/mphal.h"
#include "py/runtime.h"
#include "py/stream.h"

#include "board_config.h"
#include "console.h"

static bool started;
static pthread_t main_thread;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

// Guarded by lock. in and out are counts; the difference is what the ring holds.
static unsigned char ring[ENGRAM_RECEIVE_RING_BYTES];
static size_t in, out;
static bool ended;              // the other side has closed the line
static bool interrupted;        // since the last wait
static int interrupt_char = -1;

// ---------------------------------------------------------------- the receiving thread

static void take(const unsigned char *bytes, size_t count) {
    for (size_t i = 0; i < count; ++i) {
        if (bytes[i] == interrupt_char) {
            interrupted = true;
            // Ends a system call the program may be in; the handler runs in the main thread.
            pthread_kill(main_thread, SIGUSR1);
        } else {
            ring[in++ % sizeof(ring)] = bytes[i];
        }
    }
}

static void *receive(void *unused) {
    (void)unused;
    for (;;) {
        struct pollfd line = { .fd = STDIN_FILENO, .events = POLLIN };
        if (poll(&line, 1, -1) < 0) {
            continue;
        }
        pthread_mutex_lock(&lock);
        size_t room = sizeof(ring) - (in - out);
        if (room == 0) {
            pthread_cond_wait(&changed, &lock);
        } else {
            // Reading under the lock: console_stop then leaves no byte between line and ring.
            unsigned char bytes[512];
            ssize_t count = read(STDIN_FILENO, bytes, room < sizeof(bytes) ? room : sizeof(bytes));
            if (count > 0) {
                take(bytes, count);
            } else if (count == 0 || (errno != EINTR && errno != EAGAIN)) {
                ended = true;
            }
            pthread_cond_broadcast(&changed);
        }
        bool stop = ended;
        pthread_mutex_unlock(&lock);
        if (stop) {
            return NULL;
        }
    }
}

static void on_interrupt(int signal) {
    (void)signal;
    mp_sched_keyboard_interrupt();
}

static void raw_terminal(void) {
    struct termios mode;
    if (tcgetattr(STDIN_FILENO, &mode) == 0) {
        cfmakeraw(&mode);
        tcsetattr(STDIN_FILENO, TCSANOW, &mode);    // NOW: input that is waiting is kept
    }
}

void console_start(const unsigned char *pending, size_t length) {
    main_thread = pthread_self();
    struct sigaction action = { .sa_handler = on_interrupt };
    sigaction(SIGUSR1, &action, NULL);
    raw_terminal();
    take(pending, length);
    started = true;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);  // signals are for the main thread
    pthread_t thread;
    if (pthread_create(&thread, NULL, receive, NULL) != 0) {
        abort();
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

size_t console_stop(unsigned char *pending, size_t size) {
    pthread_mutex_lock(&lock);      // kept: the thread takes nothing more
    size_t count = 0;
    while (out != in && count < size) {
        pending[count++] = ring[out++ % sizeof(ring)];
    }
    return count;
}

// ---------------------------------------------------------------- the port's console, replaced
//
// The linker sends every call of a wrapped function here (--wrap, see mpconfigvariant.mk).

void __real_mp_hal_set_interrupt_char(char c);
int __real_mp_hal_stdin_rx_chr(void);
void __real_mp_hal_stdio_mode_raw(void);
void __real_mp_hal_stdio_mode_orig(void);

void __wrap_mp_hal_set_interrupt_char(int c) {
    if (!started) {
        __real_mp_hal_set_interrupt_char(c);
        return;
    }
    pthread_mutex_lock(&lock);
    interrupt_char = (signed char)c;    // -1: none; the port's prototype narrows it to char
    pthread_mutex_unlock(&lock);
}

int __wrap_mp_hal_stdin_rx_chr(void) {
    if (!started) {
        return __real_mp_hal_stdin_rx_chr();
    }
    for (;;) {
        pthread_mutex_lock(&lock);
        while (in == out && !ended && !interrupted) {
            pthread_cond_wait(&changed, &lock);
        }
        int c = in == out ? -1 : ring[out++ % sizeof(ring)];
        bool over = c < 0 && ended;
        interrupted = false;
        pthread_cond_broadcast(&changed);
        pthread_mutex_unlock(&lock);
        if (over) {
            exit(0);
        }
        mp_handle_pending(true);
        if (c >= 0) {
            return c;
        }
    }
}

static uintptr_t stdio_poll(uintptr_t flags) {
    uintptr_t ready = flags & MP_STREAM_POLL_WR;
    pthread_mutex_lock(&lock);
    if ((flags & MP_STREAM_POLL_RD) && (in != out || ended)) {
        ready |= MP_STREAM_POLL_RD;
    }
    pthread_mutex_unlock(&lock);
    return ready;
}

// All of it, also where the receiver is slow and takes a part only.
mp_uint_t __wrap_mp_hal_stdout_tx_strn(const char *text, size_t length) {
    for (size_t done = 0; done < length;) {
        ssize_t count = write(STDOUT_FILENO, text + done, length - done);
        if (count >= 0) {
            done += count;
        } else if (errno == EAGAIN) {
            struct pollfd line = { .fd = STDOUT_FILENO, .events = POLLOUT };
            poll(&line, 1, -1);
        } else if (errno == EINTR) {
            mp_handle_pending(true);
        } else {
            exit(0);    // nobody is there any more
        }
    }
    return length;
}

// A board's line wants CR LF.
void __wrap_mp_hal_stdout_tx_strn_cooked(const char *text, size_t length) {
    while (length) {
        const char *newline = started ? memchr(text, '\n', length) : NULL;
        size_t plain = newline ? (size_t)(newline - text) : length;
        __wrap_mp_hal_stdout_tx_strn(text, plain);
        if (newline) {
            __wrap_mp_hal_stdout_tx_strn("\r\n", 2);
            ++plain;
        }
        text += plain;
        length -= plain;
    }
}

void __wrap_mp_hal_stdout_tx_str(const char *text) {
    __wrap_mp_hal_stdout_tx_strn(text, strlen(text));
}

// A board's line is always raw.
void __wrap_mp_hal_stdio_mode_raw(void) {
    if (!started) {
        __real_mp_hal_stdio_mode_raw();
    }
}

void __wrap_mp_hal_stdio_mode_orig(void) {
    if (!started) {
        __real_mp_hal_stdio_mode_orig();
    }
}

// sys.stdin, sys.stdout and sys.stderr as boards have them: the shared implementation over the
// functions above, in place of the port's objects.
#undef mp_hal_stdio_poll
#define mp_hal_stdio_poll stdio_poll
#define mp_hal_stdin_rx_chr __wrap_mp_hal_stdin_rx_chr
#define mp_hal_stdout_tx_strn __wrap_mp_hal_stdout_tx_strn
#define mp_hal_stdout_tx_strn_cooked __wrap_mp_hal_stdout_tx_strn_cooked
#define mp_sys_stdin_obj __wrap_mp_sys_stdin_obj
#define mp_sys_stdout_obj __wrap_mp_sys_stdout_obj
#define mp_sys_stderr_obj __wrap_mp_sys_stderr_obj
#include "shared/runtime/sys_stdio_mphal.c"
