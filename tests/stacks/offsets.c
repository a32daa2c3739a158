/* Prints where this version of CPython keeps what leads to its frames; the names are those of `Layout`. */
#define Py_BUILD_CORE 1
#include <Python.h>
#include <frameobject.h>
#include <stddef.h>
#include <stdio.h>
#include "internal/pycore_runtime.h"
#include "internal/pycore_interp.h"
#if PY_VERSION_HEX >= 0x030B0000
#include "internal/pycore_frame.h"
#include "internal/pycore_code.h"
#endif
#if PY_VERSION_HEX >= 0x030E0000
#include "internal/pycore_interpframe_structs.h"
#endif
#define TELL(name, value) printf("%s=%zu ", name, (size_t)(value))

int main(void)
{
    TELL("interpreters", offsetof(_PyRuntimeState, interpreters.head));
    TELL("interpreter_next", offsetof(PyInterpreterState, next));
    TELL("thread_next", offsetof(PyThreadState, next));
    TELL("thread_id", offsetof(PyThreadState, thread_id));
#if PY_VERSION_HEX < 0x030B0000
    TELL("threads", offsetof(PyInterpreterState, tstate_head));
    TELL("thread_frame", offsetof(PyThreadState, frame));
    TELL("frame_code", offsetof(PyFrameObject, f_code));
    TELL("frame_back", offsetof(PyFrameObject, f_back));
    TELL("frame_instruction", offsetof(PyFrameObject, f_lasti));
    TELL("name", offsetof(PyCodeObject, co_name));
#else
    TELL("threads", offsetof(PyInterpreterState, threads.head));
    TELL("frame_back", offsetof(_PyInterpreterFrame, previous));
    TELL("frame_owner", offsetof(_PyInterpreterFrame, owner));
    TELL("name", offsetof(PyCodeObject, co_qualname));
    TELL("code", offsetof(PyCodeObject, co_code_adaptive));
#if PY_VERSION_HEX < 0x030D0000
    TELL("thread_frame", offsetof(PyThreadState, cframe));
    TELL("via", offsetof(_PyCFrame, current_frame));
    TELL("frame_code", offsetof(_PyInterpreterFrame, f_code));
    TELL("frame_instruction", offsetof(_PyInterpreterFrame, prev_instr));
#else
    TELL("thread_frame", offsetof(PyThreadState, current_frame));
    TELL("frame_code", offsetof(_PyInterpreterFrame, f_executable));
    TELL("frame_instruction", offsetof(_PyInterpreterFrame, instr_ptr));
#endif
#endif
    TELL("type", offsetof(PyObject, ob_type));
    TELL("file", offsetof(PyCodeObject, co_filename));
    TELL("first_line", offsetof(PyCodeObject, co_firstlineno));
    TELL("line_table", offsetof(PyCodeObject, co_linetable));
    TELL("text_length", offsetof(PyASCIIObject, length));
    TELL("text_state", offsetof(PyASCIIObject, state));
    TELL("text_ascii", sizeof(PyASCIIObject));
    TELL("text_compact", sizeof(PyCompactUnicodeObject));
    TELL("bytes_size", offsetof(PyVarObject, ob_size));
    TELL("bytes_data", offsetof(PyBytesObject, ob_sval));
    return 0;
}
