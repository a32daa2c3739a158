// A target that probes could hurt: threads, exceptions, alternate stacks, forks, execs, libraries that come and go.
//
//   fragile LIBRARY           works until its standard input ends; prints "right" and ends with 0 if every result was;
//                             LIBRARY.copy, a copy of the library, is loaded and unloaded all the time
//   fragile LIBRARY once      makes one call
#include <atomic>
#include <csetjmp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <stdexcept>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <ucontext.h>
#include <unistd.h>
#include <vector>

extern "C" {
int stride(int), fill(int *, const char *), outer(int *, const char *), hot(int), relay(int (*)(int), int);
}

static std::atomic<long> wrong{0};
static std::atomic<bool> over{false};
static thread_local sigjmp_buf back;

static void check(int is, int should) { if (is != should) wrong++; }

// Leaves the processors to the collector, of which 50 have to come and go.
static void breathe() { usleep(500); }

static void thrower(int depth) {
    int value;
    check(fill(&value, "throw"), 7);
    if (depth == 0) throw std::runtime_error("on purpose");
    thrower(depth - 1);
}

static void handler(int) { int value; check(outer(&value, "signal"), 8); }
static void leaver(int) { siglongjmp(back, 1); }

static void calls() {
    int value;
    for (int i = 0; !over; i++) {
        check(stride(i), i + 1);
        check(fill(&value, "call"), 7);
        check(value, 4);
        if (i % 64 == 0) breathe();
    }
}

static int refuser(int) { throw std::runtime_error("through the library"); }

static void exceptions() {
    while (!over) {
        try { thrower(5); wrong++; } catch (const std::runtime_error &) {}
        try { relay(refuser, 1); wrong++; } catch (const std::runtime_error &) {}
        breathe();
    }
}

static void signals() {
    std::vector<char> stack(1 << 16);
    stack_t alternate{};
    alternate.ss_sp = stack.data();
    alternate.ss_size = stack.size();
    sigaltstack(&alternate, nullptr);
    while (!over) {
        raise(SIGUSR1);
        if (sigsetjmp(back, 1) == 0) raise(SIGUSR2);
        check(stride(1), 2);
        breathe();
    }
}

// A stack as small as a goroutine's: nothing that watches may need room on it.
static constexpr size_t small = 2048, guard = 256;
static ucontext_t outside, inside;

static void on_small_stack() {
    for (;;) {
        int value;
        check(stride(4), 5);
        check(outer(&value, "small"), 8);
        swapcontext(&inside, &outside);
    }
}

static void small_stacks() {
    alignas(16) static unsigned char stack[guard + 2 * small];
    memset(stack, 0x5a, sizeof stack);
    getcontext(&inside);
    inside.uc_stack.ss_sp = stack + guard;
    inside.uc_stack.ss_size = sizeof stack - guard;
    makecontext(&inside, on_small_stack, 0);
    while (!over) {
        swapcontext(&outside, &inside);
        for (size_t i = 0; i < guard; i++) check(stack[i], 0x5a);
        breathe();
    }
}

static void loads(std::string library) {
    library += ".copy";
    while (!over) {
        void *handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
        auto function = reinterpret_cast<int (*)(int)>(dlsym(handle, "calm"));
        check(function(3), 3);
        if (dlopen("libnowhere.so.9", RTLD_NOW)) wrong++;
        if (dlsym(RTLD_NEXT, "getppid") != reinterpret_cast<void *>(getppid)) wrong++;  // it asks who calls
        dlclose(handle);
        breathe();
    }
}

static void children(const char *self, const char *library) {
    while (!over) {
        pid_t child = fork();
        if (child == 0) {
            int value;
            check(outer(&value, "child"), 8);
            if (wrong) _exit(1);
            execl(self, self, library, "once", static_cast<char *>(nullptr));
            _exit(2);
        }
        int status;
        waitpid(child, &status, 0);
        check(status, 0);
        usleep(10000);
    }
}

int main(int count, char **argv) {
    struct sigaction onto_alternate{};
    onto_alternate.sa_handler = handler;
    onto_alternate.sa_flags = SA_ONSTACK;
    sigaction(SIGUSR1, &onto_alternate, nullptr);
    signal(SIGUSR2, leaver);
    int value;
    check(fill(&value, "main"), 7);
    if (count == 2) {
        std::thread threads[] = {std::thread(calls), std::thread(exceptions), std::thread(signals),
                                 std::thread(small_stacks), std::thread(loads, argv[1]), std::thread(children, "/proc/self/exe", argv[1])};
        while (getchar() != EOF) {}
        over = true;
        for (auto &thread : threads) thread.join();
    }
    if (count == 2) puts(wrong ? "wrong" : "right");
    return wrong != 0;
}
