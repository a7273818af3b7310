//! Symbolize: the names by which allocators and runtimes are known.
//! In: nothing. Out: pattern lists for `role`. A pattern is the whole name, or a beginning when it ends in
//! `*`; a beginning ends at a word boundary wherever the application could have a longer word
//! (`zmalloc_*`, not `zmalloc*`).

/// Functions that hand out or take back memory for their caller.
#[rustfmt::skip]
pub const ALLOCATORS: &[&str] = &[
    // C library.
    "malloc", "calloc", "realloc", "reallocarray", "free", "cfree", "posix_memalign", "aligned_alloc",
    "memalign", "valloc", "pvalloc", "free_sized", "free_aligned_sized", "__libc_malloc", "__libc_calloc",
    "__libc_realloc", "__libc_free", "__libc_memalign", "_int_malloc", "_int_realloc", "_int_memalign",
    "_mid_memalign", "sysmalloc", "mmap", "mmap64", "mremap", "__mmap", "__mmap64", "sbrk",
    // C++ (operators as a class's own are handled beside this table).
    "__cxa_allocate_exception", "__cxa_get_globals",
    // Wrappers that end the program when memory is short.
    "xmalloc", "xmalloc0", "xzalloc", "xcalloc", "xrealloc", "xreallocarray", "xmallocarray", "xstrdup",
    "xstrndup", "xmemdup", "xasprintf", "xvasprintf", "ximalloc", "xicalloc", "xirealloc", "xnmalloc",
    "xnrealloc", "xcharalloc", "x2realloc", "x2nrealloc", "xpalloc", "xmemdup0", "emalloc", "ecalloc",
    "erealloc", "estrdup", "safe_malloc", "safe_calloc", "safe_realloc", "safe_strdup", "_emalloc",
    "_ecalloc", "_erealloc", "_estrdup", "_safe_emalloc",
    // GLib.
    "g_malloc", "g_malloc0", "g_malloc_n", "g_malloc0_n", "g_realloc", "g_realloc_n", "g_try_malloc",
    "g_try_malloc0", "g_try_malloc_n", "g_try_malloc0_n", "g_try_realloc", "g_try_realloc_n",
    "g_aligned_alloc", "g_aligned_alloc0", "g_slice_alloc", "g_slice_alloc0", "g_slice_copy", "g_memdup",
    "g_memdup2", "g_strdup", "g_strndup", "g_strdup_printf", "g_strdup_vprintf", "g_strdupv", "g_strconcat",
    "g_rc_box_alloc", "g_rc_box_alloc0", "g_atomic_rc_box_alloc", "g_atomic_rc_box_alloc0",
    // Redis, Valkey.
    "zmalloc", "zmalloc_*", "zcalloc", "zcalloc_*", "zrealloc", "zrealloc_*", "ztrymalloc", "ztrymalloc_*",
    "ztrycalloc", "ztrycalloc_*", "ztryrealloc", "ztryrealloc_*", "zstrdup", "valkey_malloc",
    "valkey_calloc", "valkey_realloc", "valkey_strdup", "zvalloc",
    "sds_malloc", "sds_realloc", "hi_malloc", "hi_calloc", "hi_realloc", "hi_strdup", "hi_sds_malloc",
    "hi_sds_realloc", "RM_Alloc", "RM_Calloc", "RM_Realloc", "RM_Strdup", "RM_TryAlloc", "RM_PoolAlloc",
    // jemalloc, tcmalloc, mimalloc, linked in.
    "je_*", "_rjem_*", "mallocx", "rallocx", "xallocx", "sdallocx", "tc_malloc", "tc_calloc", "tc_realloc",
    "tc_new", "tc_newarray", "tc_memalign", "tc_posix_memalign", "tcmalloc::*", "mi_malloc", "mi_malloc_*",
    "mi_calloc", "mi_calloc_*", "mi_realloc", "mi_realloc_*", "mi_zalloc", "mi_zalloc_*", "mi_new",
    "mi_new_*", "_mi_*",
    // nginx, Apache.
    "ngx_alloc_chain_link", "ngx_shm_alloc",
    "ngx_alloc", "ngx_calloc", "ngx_memalign", "ngx_palloc", "ngx_palloc_*", "ngx_pcalloc", "ngx_pnalloc",
    "ngx_pmemalign", "ngx_create_pool", "ngx_slab_alloc", "ngx_slab_alloc_locked", "ngx_slab_calloc",
    "ngx_slab_calloc_locked", "ngx_pstrdup", "ngx_array_create", "apr_palloc", "apr_pcalloc",
    "apr_palloc_debug", "apr_pcalloc_debug", "apr_pstrdup", "apr_pmemdup", "allocator_alloc",
    "apr_allocator_alloc",
    // CPython.
    "_PyArena_Malloc", "_PyBytesWriter_Alloc",
    "PyMem_*", "_PyMem_*", "PyObject_Malloc", "PyObject_Calloc", "PyObject_Realloc", "_PyObject_Malloc",
    "_PyObject_Calloc", "_PyObject_Realloc", "_PyObject_GC_*", "PyObject_GC_*", "_PyObject_New",
    "_PyObject_NewVar", "PyType_GenericAlloc", "_PyType_AllocNoTrack", "pymalloc_alloc", "gc_alloc",
    // SQLite.
    "sqlite3Fts3MallocZero", "sqlite3WhereMalloc", "sqlite3WhereRealloc",
    "sqlite3Malloc", "sqlite3MallocZero", "sqlite3MemMalloc", "sqlite3MemRealloc", "sqlite3Realloc",
    "sqlite3_malloc", "sqlite3_malloc64", "sqlite3_realloc", "sqlite3_realloc64", "sqlite3DbMalloc*",
    "sqlite3DbRealloc*", "sqlite3DbStrDup", "sqlite3DbStrNDup", "sqlite3DbSpanDup",
    "sqlite3StrAccumEnlarge", "dbMallocRawFinish", "dbReallocFinish", "mallocWithAlarm",
    "sqlite3PageMalloc", "pcache1Alloc",
    // PostgreSQL, OpenSSL, libxml2, curl, libuv, libevent, Lua, Ruby.
    "palloc_mul", "palloc_mul_extended", "palloc0_mul", "repalloc_extended", "repalloc_mul",
    "repalloc_mul_extended", "SPI_palloc", "SPI_repalloc", "yyalloc", "yyrealloc", "core_yyalloc",
    "core_yyrealloc", "CRYPTO_secure_malloc", "CRYPTO_secure_zalloc",
    "palloc", "palloc0", "palloc_extended", "repalloc", "repalloc_huge", "pstrdup", "pnstrdup", "psprintf",
    "pg_malloc", "pg_malloc0", "pg_realloc", "pg_strdup", "pg_malloc_internal", "AllocSetAlloc*",
    "AllocSetRealloc", "MemoryContextAlloc*", "MemoryContextStrdup", "CRYPTO_malloc", "CRYPTO_zalloc",
    "CRYPTO_realloc", "CRYPTO_clear_realloc", "CRYPTO_strdup", "CRYPTO_strndup", "CRYPTO_memdup",
    "OPENSSL_malloc", "xmlMemMalloc", "xmlMemStrdupLoc", "xmlMallocLoc", "xmlStrdup", "xmlStrndup",
    "curl_dbg_malloc", "curl_dbg_calloc", "curl_dbg_strdup", "Curl_memdup", "uv__malloc", "uv__calloc",
    "uv__realloc", "uv__strdup", "event_mm_malloc_", "event_mm_calloc_", "event_mm_strdup_", "l_alloc",
    "luaM_malloc_", "luaM_realloc_", "luaM_saferealloc_", "ruby_xmalloc", "ruby_xmalloc2", "ruby_xcalloc",
    "ruby_xrealloc", "objspace_xmalloc0", "objspace_xcalloc", "objspace_xrealloc",
    // Rust.
    "alloc::alloc::*", "alloc::raw_vec::*", "__rust_alloc", "__rust_alloc_zeroed", "__rust_realloc",
    "__rdl_alloc", "__rdl_alloc_zeroed", "__rdl_realloc", "__rg_alloc", "__rg_alloc_zeroed", "__rg_realloc",
    "__rustc::*", "<alloc::alloc::Global as *", "<std::alloc::System as *", "exchange_malloc",
];

/// Namespaces and functions of the C library and of language runtimes.
#[rustfmt::skip]
pub const RUNTIME: &[&str] = &[
    // C++ and Rust standard libraries. A namespace of the application's own (`app::std::…`) does not begin so.
    "std::*", "core::*", "alloc::*", "hashbrown::*", "proc_macro::*", "test::run_test*", "__gnu_cxx::*",
    "__cxxabiv1::*", "__cxa_*", "__gxx_*", "_Unwind_*", "rust_begin_unwind", "rust_panic*",
    "__rust_begin_short_backtrace", "boost::detail::*", "boost::make_shared*", "boost::shared_ptr*",
    "boost::container::*", "boost::unordered::*", "absl::container_internal::*",
    // C library functions that allocate or open, where it is linked in.
    "strdup", "strndup", "__strdup", "__strndup", "wcsdup", "asprintf", "vasprintf", "__asprintf",
    "__vasprintf", "getline", "getdelim", "__getdelim", "_IO_getdelim", "_IO_getline",
    "_IO_file_doallocate", "_IO_doallocbuf", "_IO_new_file_*", "fopen", "fopen64", "_IO_fopen",
    "_IO_new_fopen", "__fopen_internal", "fdopen", "freopen", "open_memstream", "opendir", "fdopendir",
    "__opendir", "__opendirat", "__alloc_dir", "getaddrinfo", "__realpath", "setlocale", "qsort_r",
    "qsort_s", "pthread_create", "__pthread_create_2_1", "dlopen", "_dl_*", "timer_create", "sem_open",
    "epoll_create", "epoll_create1", "timerfd_create", "inotify_init", "inotify_init1", "inotify_add_watch",
    "memfd_create", "shm_open", "mkstemp", "tmpfile",
];

/// Functions that only start a program or a thread.
#[rustfmt::skip]
pub const START_UP: &[&str] = &[
    "_start", "__libc_start_main", "__libc_start_call_main", "__libc_start_main_impl", "__libc_csu_init",
    "start_thread", "clone", "clone3", "__clone", "__clone3", "thread_start", "call_init", "_dl_start_user",
    "_dl_init",
];

/// Modules that are allocators.
#[rustfmt::skip]
pub const ALLOCATOR_MODULES: &[&str] = &[
    "libmemguard*", "libjemalloc.so*", "libtcmalloc.so*", "libtcmalloc_*", "libmimalloc.so*",
    "libmimalloc-*", "libsnmalloc*",
];

/// Modules that are the C library or a language's runtime.
#[rustfmt::skip]
pub const RUNTIME_MODULES: &[&str] = &[
    "libc.so*", "libc-2.*", "ld-linux*", "ld-2.*", "ld-musl-*", "ld64.so*", "libpthread.so*",
    "libpthread-2.*", "libdl.so*", "libdl-2.*", "librt.so*", "librt-2.*", "libm.so*", "libm-2.*",
    "libanl.so*", "libresolv.so*", "libnss_*", "libstdc++.so*", "libc++.so*", "libc++abi.so*",
    "libgcc_s.so*", "libgcc_s-*", "libunwind.so*", "libsupc++*", "libstd-*", "libc.musl-*", "linux-vdso.so*", "[vdso]",
];

/// Parts of the paths of a standard library's source files: Rust's as built by its project and as installed, the C++
/// library's headers of GCC and LLVM.
/// The C library's headers inline wrappers of `open`, `fopen`, `read` and others where sources are fortified.
pub const RUNTIME_FILES: &[&str] =
    &["/rustc/", "/rustlib/src/rust/library/", "/include/c++/", "-linux-gnu/bits/", "/usr/include/bits/"];
