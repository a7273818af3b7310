"""image_filter: an image service in Python whose filters are native code (libimage_filter.c); one of them leaks a copy per call."""

import ctypes
import os

import service

native = ctypes.CDLL(os.path.join(os.environ["CORPUS_LIBRARIES"], "libimage_filter.so"))
for function in (native.blur, native.contrast):
    function.argtypes = (ctypes.c_char_p, ctypes.c_size_t)
    function.restype = ctypes.c_ulong

lost = 0
images = service.Service(60)
for request in images:
    image = ctypes.create_string_buffer(b"\x10\x80\xf0" * 400)
    native.contrast(image, len(image))
    if request % 2:
        native.blur(image, len(image))
        lost += 1
    images.work()
images.end(lost, 0)
