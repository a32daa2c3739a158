"""Names of libc and of the loader whose redefinition by another library changes what a whole process does."""

from typing import Final

LOADER_NAMES: Final = frozenset(
    {"dlopen", "dlmopen", "dlsym", "dlvsym", "dlclose", "dlerror", "dladdr", "dladdr1", "dlinfo", "dl_iterate_phdr"}
)
"""Who redefines these answers every question about libraries (dlopen(3), dlsym(3))."""

_FILE: Final = """
open open64 openat openat64 creat close read pread pread64 readv write pwrite pwrite64 writev lseek lseek64
fopen fopen64 freopen fdopen fclose fread fwrite fgets fgetc getline fputs fseek fseeko ftell
stat stat64 lstat lstat64 fstat fstat64 fstatat fstatat64 statx
__xstat __xstat64 __lxstat __lxstat64 __fxstat __fxstat64 __fxstatat __fxstatat64
access faccessat euidaccess readlink readlinkat realpath opendir readdir readdir64 closedir scandir
unlink rename ioctl fcntl fcntl64 dup dup2 dup3 pipe pipe2 poll select epoll_wait mmap mmap64 munmap mprotect
"""
FILE_NAMES: Final = frozenset(_FILE.split())
"""Files and descriptors: what a model loader, a shell or a log depends on."""

_MEMORY: Final = """
malloc calloc realloc reallocarray free posix_memalign aligned_alloc memalign valloc malloc_usable_size
memcpy memmove memset
"""
MEMORY_NAMES: Final = frozenset(_MEMORY.split())
"""The heap: legitimate in allocators and sanitizers, a surprise elsewhere."""

_PROCESS: Final = """
execve execv execvp execvpe execl execlp execle fexecve posix_spawn posix_spawnp system popen fork vfork clone
_exit exit abort raise kill signal sigaction syscall prctl ptrace getpid getenv secure_getenv setenv putenv
pthread_create pthread_mutex_lock pthread_once waitpid wait4 connect socket send recv sendto recvfrom
__libc_start_main __cxa_atexit atexit
"""
PROCESS_NAMES: Final = frozenset(_PROCESS.split())
"""Births and ends of processes, the environment, signals, threads, sockets."""

LIBC_NAMES: Final = LOADER_NAMES | FILE_NAMES | MEMORY_NAMES | PROCESS_NAMES

LIBC_SONAMES: Final = ("libc.so", "libpthread.so", "libdl.so", "librt.so", "ld-linux", "ld-musl", "libc.musl", "ld.so")
"""How the names of the C library's own files begin (glibc and musl): what they define is the original."""
