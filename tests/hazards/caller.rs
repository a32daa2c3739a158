// Panics that unwind through a call of the driver, and are caught behind it: what a Rust program may do.
use std::ffi::{c_char, c_int, c_void};
use std::panic::catch_unwind;

type Action = extern "C-unwind" fn(*mut c_void);

#[link(name = "dl")]
unsafe extern "C" {
    fn dlopen(name: *const c_char, flags: c_int) -> *mut c_void;
    fn dlsym(library: *mut c_void, name: *const c_char) -> *mut c_void;
}

extern "C-unwind" fn panics(_: *mut c_void) {
    panic!("through the driver");
}

fn main() {
    std::panic::set_hook(Box::new(|_| {}));
    let library = unsafe { dlopen(c"libcuda.so.1".as_ptr(), 2) };
    assert!(!library.is_null());
    let find = |name: &std::ffi::CStr| {
        let found = unsafe { dlsym(library, name.as_ptr()) };
        assert!(!found.is_null());
        found
    };
    let inside: *mut Option<Action> = find(c"inside").cast();
    let synchronize: extern "C-unwind" fn() -> c_int = unsafe { std::mem::transmute(find(c"cuCtxSynchronize")) };
    let count: extern "C-unwind" fn(*mut c_int) -> c_int = unsafe { std::mem::transmute(find(c"cuDeviceGetCount")) };
    let (mut caught, mut sum) = (0, 0);
    for _ in 0..50 {
        unsafe { *inside = Some(panics) };
        caught += catch_unwind(|| synchronize()).is_err() as i32;
        unsafe { *inside = None };
        let mut devices = 0;
        sum += count(&mut devices) + devices;
    }
    let threads: Vec<_> = (0..4)
        .map(|_| {
            std::thread::spawn(move || {
                let mut devices = 0;
                (0..500).map(|_| count(&mut devices) + devices + synchronize()).sum::<c_int>()
            })
        })
        .collect();
    sum += threads.into_iter().map(|one| one.join().unwrap()).sum::<c_int>();
    println!("{caught} {sum}");
}
