// hazards NAME: does one thing that a careless observer would break, inside of calls of the driver, and prints what
// came out of it.
#include <cerrno>
#include <csetjmp>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <map>
#include <pthread.h>
#include <sched.h>
#include <stdexcept>
#include <string>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

typedef void (*Action)(void *);
static Action *inside;
static void **inside_argument;
static int (*init)(unsigned), (*count)(int *), (*total)(size_t *, int), (*synchronize)(), (*patchable)(void **), (*name)(char *, int, int);
static int (*launch)(void *, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void *, void **, void **);

static const size_t STACK = 1 << 18;
static char stacks[4][STACK] __attribute__((aligned(4096)));
static ucontext_t home, contexts[4];
static long sum;

template <typename F> static void find(void *library, F &function, const char *symbol) {
    function = reinterpret_cast<F>(dlsym(library, symbol));
    if (!function) exit(3);
}

static void load() {
    void *library = dlopen("libcuda.so.1", RTLD_NOW);
    if (!library) { puts(dlerror()); exit(3); }
    find(library, inside, "inside");
    find(library, inside_argument, "inside_argument");
    find(library, init, "cuInit");
    find(library, count, "cuDeviceGetCount");
    find(library, total, "cuDeviceTotalMem_v2");
    find(library, synchronize, "cuCtxSynchronize");
    find(library, patchable, "cuCtxPopCurrent_v2");
    find(library, name, "cuDeviceGetName");
    find(library, launch, "cuLaunchKernel");
}

static int counted() { int devices = 0; return count(&devices) + devices; }
static int status_of(pid_t child) {
    int status;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}
static char *new_stack(size_t size = STACK) {
    return static_cast<char *>(mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}
static void start(ucontext_t &context, char *stack, void (*function)(), ucontext_t *after) {
    getcontext(&context);
    context.uc_stack.ss_sp = stack;
    context.uc_stack.ss_size = STACK;
    context.uc_link = after;
    makecontext(&context, function, 0);
}

static void throws(void *) { throw std::runtime_error("through the driver"); }
static void exception() {
    int caught = 0;
    for (int i = 0; i < 30; i++) {
        *inside = throws;
        try { synchronize(); } catch (const std::exception &) { caught++; }
        try { launch(0, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0); } catch (const std::exception &) { caught++; }
        *inside = nullptr;
        sum += counted();
    }
    printf("%d %ld\n", caught, sum);
}

static jmp_buf mark;
static void jumps(void *) { longjmp(mark, 1); }
static void long_jump() {
    volatile int jumped = 0;
    for (volatile int i = 0; i < 50; i++) {
        *inside = jumps;
        if (!setjmp(mark)) synchronize(); else jumped++;
        *inside = nullptr;
        sum += counted();
    }
    printf("%d %ld\n", jumped, sum);
}

static void yields(void *which) { swapcontext(static_cast<ucontext_t *>(which), &home); }
static int started;
static void coroutine() {
    ucontext_t *mine = &contexts[started++];
    for (int i = 0; i < 50; i++) {
        *inside = yields;
        *inside_argument = mine;
        sum += synchronize();
        *inside = nullptr;
        sum += counted();
    }
}
static void coroutines() {
    for (int i = 0; i < 4; i++) start(contexts[i], stacks[i], coroutine, &home);
    for (int round = 0; round < 51; round++)
        for (int i = 0; i < 4; i++) swapcontext(&home, &contexts[round == 0 || round % 2 == 0 ? i : 3 - i]);
    printf("%ld\n", sum);
}

static void sleeps(void *) { sleep(5); }
static void leaves_thread(void *) { pthread_exit((void *)7); }
static void ends_thread(void *) { syscall(SYS_exit, 0); }
static void *synchronizes(void *) { synchronize(); return nullptr; }
static void cancelled_thread() {
    *inside = sleeps;
    int cancelled = 0;
    for (int i = 0; i < 3; i++) {
        pthread_t thread;
        void *result;
        pthread_create(&thread, nullptr, synchronizes, nullptr);
        usleep(50000);
        pthread_cancel(thread);
        pthread_join(thread, &result);
        cancelled += result == PTHREAD_CANCELED;
    }
    printf("%d\n", cancelled);
}
static void *catches_and_rethrows(void *) {
    try { synchronize(); } catch (...) { sum++; throw; }
    return nullptr;
}
static void exited_thread(void *(*body)(void *)) {
    *inside = leaves_thread;
    for (int i = 0; i < 5; i++) {
        pthread_t thread;
        void *result;
        pthread_create(&thread, nullptr, body, nullptr);
        pthread_join(thread, &result);
        sum += (long)result;
    }
    printf("%ld\n", sum);
}
static void ended_thread() {
    *inside = ends_thread;
    pthread_t thread;
    pthread_create(&thread, nullptr, synchronizes, nullptr);
    usleep(100000);
    *inside = nullptr;
    printf("%d\n", counted());
}

static volatile int signals;
static sigjmp_buf signal_mark;
static void raises(void *) { raise(SIGUSR1); }
static void calls_in_handler(int) {
    Action before = *inside;
    signals = signals + 1;
    *inside = nullptr;
    sum += counted() + init(0);
    *inside = before;
}
static void jumps_in_handler(int) { siglongjmp(signal_mark, 1); }
static void switches_in_handler(int) { setcontext(&home); }
static void handle(void (*handler)(int), char *stack, size_t size) {
    stack_t alternate = {};
    alternate.ss_sp = stack;
    alternate.ss_size = size;
    sigaltstack(&alternate, nullptr);
    struct sigaction action = {};
    action.sa_handler = handler;
    action.sa_flags = SA_ONSTACK;
    sigaction(SIGUSR1, &action, nullptr);
}
static void many_signals() {
    *inside = raises;
    for (int i = 0; i < 100; i++) sum += synchronize() + counted();
    *inside = nullptr;
}
static void alternate_stack() {
    handle(calls_in_handler, new_stack(), STACK);
    many_signals();
    printf("%ld %d\n", sum, signals);
}
static void high_alternate_stack() {
    char *both = new_stack(2 * STACK);
    handle(calls_in_handler, both + STACK, STACK);
    start(contexts[0], both, many_signals, &home);
    swapcontext(&home, &contexts[0]);
    printf("%ld %d\n", sum, signals);
}
static void jump_from_handler() {
    handle(jumps_in_handler, new_stack(), STACK);
    volatile int jumped = 0;
    for (volatile int i = 0; i < 100; i++) {
        *inside = raises;
        if (!sigsetjmp(signal_mark, 1)) synchronize(); else jumped++;
        *inside = nullptr;
        sum += counted();
    }
    printf("%d %ld\n", jumped, sum);
}
static void switch_from_handler() {
    handle(switches_in_handler, new_stack(), STACK);
    static volatile int switched = 0;
    getcontext(&home);
    *inside = nullptr;
    if (switched < 50) {
        switched = switched + 1;
        sum += counted();
        *inside = raises;
        synchronize();
    }
    printf("%d %ld\n", switched, sum);
}

static void vforks() {
    for (int i = 0; i < 30; i++) {
        pid_t child = vfork();
        if (!child) {
            int devices;
            count(&devices);
            if (i % 2) _exit(devices + 3);
            execl("/bin/true", "true", (char *)nullptr);
            _exit(99);
        }
        sum += status_of(child);
    }
    printf("%ld\n", sum);
}
static int shares(void *result) {
    for (int i = 0; i < 20; i++) *static_cast<int *>(result) = counted() + init(0);
    return 5;
}
static void shared_memory() {
    for (int i = 0; i < 30; i++) {
        int result = 0;
        pid_t child = clone(shares, stacks[0] + STACK - 64, CLONE_VM | SIGCHLD, &result);
        for (int j = 0; j < 20; j++) sum += counted();
        sum += status_of(child) + result;
    }
    printf("%ld\n", sum);
}
static pid_t born;
static void forks(void *) { born = fork(); }
static void fork_inside() {
    for (int i = 0; i < 20; i++) {
        *inside = forks;
        int result = synchronize();
        *inside = nullptr;
        if (born == 0) _exit(result + counted() + 2);
        sum += status_of(born);
    }
    printf("%ld\n", sum);
}
static void vforks_and_executes(void *) {
    born = vfork();
    if (!born) { execl("/bin/true", "true", (char *)nullptr); _exit(9); }
}
static void vfork_inside() {
    *inside = vforks_and_executes;
    for (int i = 0; i < 20; i++) { synchronize(); sum += status_of(born); }
    printf("%ld\n", sum);
}
static void executes(void *) { execl("/bin/echo", "echo", "another program", (char *)nullptr); }
static void exec_inside() { *inside = executes; synchronize(); }

// As Go does: the stack that a call runs on is copied elsewhere meanwhile.
static char *other_stack;
__attribute__((noinline)) static void moves(void *) {
    register char *pointer asm("rsp");
    size_t used = stacks[0] + STACK - pointer;
    long distance = other_stack + STACK - used - pointer;
    memcpy(pointer + distance, pointer, used);
    asm volatile("add %0, %%rsp" ::"r"(distance) : "memory");
}
static void on_moving_stack() {
    *inside = moves;
    sum += synchronize();
    *inside = nullptr;
    sum += counted();
    setcontext(&home);
}
static void moved_stack() {
    static volatile bool first = true;
    other_stack = new_stack();
    start(contexts[0], stacks[0], on_moving_stack, nullptr);
    getcontext(&home);
    if (first) { first = false; setcontext(&contexts[0]); }
    printf("%ld\n", sum);
}

static void generated_code() {
    unsigned char code[] = {0xf3, 0x0f, 0x1e, 0xfa, 0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xe0};
    memcpy(code + 6, &count, 8);
    void *page = mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memcpy(page, code, sizeof code);
    int devices;
    for (int i = 0; i < 1000; i++) sum += reinterpret_cast<int (*)(int *)>(page)(&devices) + devices;
    printf("%ld\n", sum);
}
// As a just-in-time compiler does: an exception passes a frame of code that was made here, behind a watched call.
extern "C" void __register_frame(void *);
static void generated_frames() {
    unsigned char code[] = {0x48, 0x83, 0xec, 8, 0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xd0, 0x48, 0x83, 0xc4, 8, 0xc3};
    memcpy(code + 6, &synchronize, 8);
    char *page = static_cast<char *>(
        mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    memcpy(page, code, sizeof code);
    static unsigned char frames[64] = {
        20, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0x78, 16, 0x0c, 7, 8, 0x90, 1,      // CIE: CFA is rsp+8, rip lies below it
        0, 0, 0, 0, 0, 0, 28, 0, 0, 0, 28, 0, 0, 0,                          // FDE, 28 bytes behind that CIE
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x44, 0x0e, 16, 0x50, 0x0e, 8,
    };
    size_t size = sizeof code;
    memcpy(frames + 32, &page, 8);
    memcpy(frames + 40, &size, 8);
    __register_frame(frames);
    int caught = 0;
    for (int i = 0; i < 50; i++) {
        *inside = throws;
        try { reinterpret_cast<int (*)()>(page)(); } catch (const std::exception &) { caught++; }
        *inside = nullptr;
        sum += counted() + reinterpret_cast<int (*)()>(page)();
    }
    printf("%d %ld\n", caught, sum);
}
static void tail_calls() {
    size_t bytes;
    for (int i = 0; i < 1000; i++) sum += total(&bytes, i % 3) + (int)bytes;
    printf("%ld\n", sum);
}
static void backtraces() { char text[64]; name(text, 64, 0); puts(text); }
static int calls_deeper;
static void recurses(void *) { if (++calls_deeper < 200) synchronize(); }
static void recursion() { *inside = recurses; printf("%d %d\n", synchronize(), calls_deeper); }
static void *calls_much(void *) {
    for (int i = 0; i < 2000; i++) __sync_fetch_and_add(&sum, counted() + synchronize() + init(0));
    return nullptr;
}
static void threads() {
    pthread_t all[4];
    for (auto &thread : all) pthread_create(&thread, nullptr, calls_much, nullptr);
    for (auto &thread : all) pthread_join(thread, nullptr);
    printf("%ld\n", sum);
}

static void system_call_filter() {
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 300, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {4, filter};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) perror("seccomp");
    for (int i = 0; i < 100; i++) sum += counted() + synchronize();
    printf("%ld\n", sum);
}
static void strict_mode() {
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
    for (int i = 0; i < 100; i++) sum += counted() + synchronize();
    char text[40];
    int size = sprintf(text, "%ld\n", sum);
    if (write(1, text, size) != size) syscall(SYS_exit, 9);
    syscall(SYS_exit, sum & 0x7f);
}
// As Wine does: system calls from anywhere but the C library are signals.
static void refuses_system_call(int) { _exit(31); }
static void user_dispatch() {
    static volatile char selector = 0;
    unsigned long low = 0, size = 0;
    char line[512];
    FILE *maps = fopen("/proc/self/maps", "r");
    while (fgets(line, sizeof line, maps))
        if (strstr(line, "libc.so") && strstr(line, "r-xp")) {
            unsigned long high;
            if (sscanf(line, "%lx-%lx", &low, &high) == 2) size = high - low;
        }
    fclose(maps);
    signal(SIGSYS, refuses_system_call);
    if (prctl(59 /* PR_SET_SYSCALL_USER_DISPATCH */, 1, low, size, &selector)) perror("user dispatch");
    selector = 1;
    for (int i = 0; i < 100; i++) sum += counted() + synchronize() + patchable(nullptr);
    selector = 0;
    printf("%ld\n", sum);
}
// A hooking library writes other code over a function and takes it away again.
static void patched_function() {
    unsigned char saved[16], patch[] = {0xb8, 5, 0, 0, 0, 0xc3};
    char *place = reinterpret_cast<char *>(count), *page = reinterpret_cast<char *>((long)place & ~4095l);
    if (mprotect(page, 8192, PROT_READ | PROT_WRITE | PROT_EXEC)) perror("mprotect");
    memcpy(saved, place, 16);
    memcpy(place, patch, sizeof patch);
    int devices, patched = count(&devices);
    memcpy(place, saved, 16);
    printf("%d %d\n", patched, count(&devices));
}
static pid_t traced() {
    pid_t child = fork();
    if (child) { waitpid(child, nullptr, 0); return child; }
    ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    raise(SIGSTOP);
    int result = 0;
    for (int i = 0; i < 5; i++) result += counted() + synchronize();
    _exit(result);
}
// A debugger takes one step after the other through calls.
static void single_steps() {
    pid_t child = traced();
    int status = 0;
    for (long steps = 0; steps < 100000; steps++) {
        ptrace(PTRACE_SINGLESTEP, child, nullptr, nullptr);
        waitpid(child, &status, 0);
        if (WIFEXITED(status) || WIFSIGNALED(status)) break;
        if (WIFSTOPPED(status) && WSTOPSIG(status) != SIGTRAP) break;
    }
    printf("%d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}
// Return addresses lie on a second stack, too, where processor and kernel have it (arch_prctl(2), ARCH_SHSTK_ENABLE).
static void shadow_stack() {
    handle(calls_in_handler, new_stack(), STACK);
    long refused;
    asm volatile("syscall" : "=a"(refused) : "a"(SYS_arch_prctl), "D"(0x5001), "S"(1) : "rcx", "r11", "memory");
    many_signals();
    for (int i = 0; i < 1000; i++) sum += counted() + synchronize() + init(0);
    printf("%s %ld %d\n", refused ? "none" : "on", sum, signals);
    syscall(SYS_exit_group, 0);  // those who called us are not on it
}
// A debugger stops a program inside of each watched call, by a trap that it writes.
__attribute__((noinline)) static void stops_here(void *) { sum++; }
static void debugger_traps() {
    *inside = stops_here;
    pid_t child = traced();
    int status, stops = 0;
    long place = reinterpret_cast<long>(stops_here), whole = ptrace(PTRACE_PEEKTEXT, child, place, nullptr);
    ptrace(PTRACE_POKETEXT, child, place, (whole & ~0xffl) | 0xcc);
    for (; stops < 50; stops++) {
        ptrace(PTRACE_CONT, child, nullptr, nullptr);
        waitpid(child, &status, 0);
        if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP) break;
        struct user_regs_struct registers;
        ptrace(PTRACE_GETREGS, child, nullptr, &registers);
        registers.rip = place;
        ptrace(PTRACE_SETREGS, child, nullptr, &registers);
        ptrace(PTRACE_POKETEXT, child, place, whole);
        ptrace(PTRACE_SINGLESTEP, child, nullptr, nullptr);
        waitpid(child, &status, 0);
        ptrace(PTRACE_POKETEXT, child, place, (whole & ~0xffl) | 0xcc);
    }
    printf("%d stops, %d\n", stops, WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
}
// A debugger whose breakpoint is the processor's own (DR0), at the first instruction of a watched function.
static void debug_registers() {
    pid_t child = traced();
    int status, stops = 0;
    ptrace(PTRACE_POKEUSER, child, offsetof(struct user, u_debugreg[0]), reinterpret_cast<long>(count));
    ptrace(PTRACE_POKEUSER, child, offsetof(struct user, u_debugreg[7]), 1);
    for (; stops < 50; stops++) {
        ptrace(PTRACE_CONT, child, nullptr, nullptr);
        waitpid(child, &status, 0);
        if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP) break;
    }
    printf("%d stops, %d\n", stops, WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
}

int main(int, char **arguments) {
    setvbuf(stdout, nullptr, _IOLBF, 0);
    load();
    const std::map<std::string, void (*)()> all = {
        {"exception", exception}, {"long-jump", long_jump}, {"coroutines", coroutines},
        {"cancelled-thread", cancelled_thread}, {"exited-thread", [] { exited_thread(synchronizes); }},
        {"rethrown-exit", [] { exited_thread(catches_and_rethrows); }}, {"ended-thread", ended_thread},
        {"alternate-stack", alternate_stack}, {"high-alternate-stack", high_alternate_stack},
        {"jump-from-handler", jump_from_handler}, {"switch-from-handler", switch_from_handler}, {"vfork", vforks},
        {"shared-memory", shared_memory}, {"fork-inside", fork_inside}, {"vfork-inside", vfork_inside},
        {"exec-inside", exec_inside}, {"moved-stack", moved_stack}, {"generated-code", generated_code},
        {"generated-frames", generated_frames},
        {"tail-calls", tail_calls}, {"backtrace", backtraces}, {"recursion", recursion}, {"threads", threads},
        {"system-call-filter", system_call_filter}, {"strict-mode", strict_mode}, {"user-dispatch", user_dispatch},
        {"patched-function", patched_function}, {"single-steps", single_steps},
        {"shadow-stack", shadow_stack}, {"debugger-traps", debugger_traps}, {"debug-registers", debug_registers},
    };
    if (!arguments[1]) {
        for (const auto &one : all) puts(one.first.c_str());
        return 0;
    }
    usleep(100000);
    all.at(arguments[1])();
    return 0;
}
