// Calls of a driver from goroutines that are preempted by signals, whose stacks grow and move, and that are called
// back by the driver: what a Go program does to whoever watches its calls.
package main

/*
#cgo LDFLAGS: -ldl
#include <dlfcn.h>
static int (*count)(int *), (*synchronize)(void);
static void (**inside)(void *);
extern void calledBack(void *);
static void forwards(void *argument) { calledBack(argument); }
static int load(void) {
	void *library = dlopen("libcuda.so.1", RTLD_NOW);
	if (!library) return 0;
	count = (int (*)(int *))dlsym(library, "cuDeviceGetCount");
	synchronize = (int (*)(void))dlsym(library, "cuCtxSynchronize");
	inside = (void (**)(void *))dlsym(library, "inside");
	return 1;
}
static void begin(void) { *inside = forwards; }
static void end(void) { *inside = 0; }
static int counted(void) { int devices = 0; return count(&devices) + devices; }
static int synchronized(void) { return synchronize(); }
*/
import "C"

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"unsafe"
)

var calledBackTimes, recovered atomic.Int64

func grows(depth int) int {
	var room [512]byte
	if depth == 0 {
		return int(room[0])
	}
	return grows(depth-1) + int(room[depth%512])
}

//export calledBack
func calledBack(unsafe.Pointer) {
	defer func() {
		if recover() != nil {
			recovered.Add(1)
		}
	}()
	grows(200)
	if calledBackTimes.Add(1)%10 == 0 {
		panic("inside of a call of the driver")
	}
}

func spins(until *atomic.Bool) {
	for number := 0; !until.Load(); number++ {
	}
}

func main() {
	if C.load() == 0 {
		panic("no driver")
	}
	runtime.GOMAXPROCS(4)
	var all sync.WaitGroup
	var over atomic.Bool
	var sum atomic.Int64
	go spins(&over)
	C.begin()
	for routine := 0; routine < 8; routine++ {
		all.Add(1)
		go func() {
			defer all.Done()
			if routine%4 == 0 {
				runtime.LockOSThread() // never unlocked: the thread ends with it
			}
			for call := 0; call < 250; call++ {
				sum.Add(int64(C.counted()) + int64(C.synchronized()))
				if call%50 == 0 {
					runtime.GC()
				}
			}
		}()
	}
	all.Wait()
	C.end()
	over.Store(true)
	fmt.Println(sum.Load(), calledBackTimes.Load(), recovered.Load())
}
