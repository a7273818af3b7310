/* sandboxed: installs a system call filter as container engines have one (what their documents list as not allowed is
 * refused with EPERM), sets LD_PRELOAD to INNER_PRELOAD if that is set, and becomes another program.
 *   sandboxed PROGRAM ARGUMENTS...
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define REFUSE(number) \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)

int main(int count, char **words) {
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        REFUSE(__NR_acct), REFUSE(__NR_add_key), REFUSE(__NR_bpf), REFUSE(__NR_clock_adjtime), REFUSE(__NR_clock_settime),
        REFUSE(__NR_delete_module), REFUSE(__NR_finit_module), REFUSE(__NR_fsopen), REFUSE(__NR_init_module),
        REFUSE(__NR_io_uring_setup), REFUSE(__NR_kcmp), REFUSE(__NR_kexec_load), REFUSE(__NR_keyctl),
        REFUSE(__NR_lookup_dcookie), REFUSE(__NR_mbind), REFUSE(__NR_mount), REFUSE(__NR_move_mount),
        REFUSE(__NR_move_pages), REFUSE(__NR_name_to_handle_at), REFUSE(__NR_open_by_handle_at), REFUSE(__NR_open_tree),
        REFUSE(__NR_perf_event_open), REFUSE(__NR_pivot_root), REFUSE(__NR_process_vm_readv),
        REFUSE(__NR_process_vm_writev), REFUSE(__NR_ptrace), REFUSE(__NR_quotactl), REFUSE(__NR_reboot),
        REFUSE(__NR_request_key), REFUSE(__NR_set_mempolicy), REFUSE(__NR_setns), REFUSE(__NR_settimeofday),
        REFUSE(__NR_swapoff), REFUSE(__NR_swapon), REFUSE(__NR_syslog), REFUSE(__NR_umount2), REFUSE(__NR_unshare),
        REFUSE(__NR_userfaultfd), REFUSE(__NR_vhangup),
        /* clone with a new namespace; of clone3 the flags cannot be seen, so it does not exist. */
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_clone3, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_clone, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x7E020000, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof filter / sizeof filter[0], .filter = filter};
    if (count < 2 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
        perror("sandboxed");
        return 98;
    }
    const char *library = getenv("INNER_PRELOAD");
    if (library != NULL) {
        setenv("LD_PRELOAD", library, 1);
        unsetenv("INNER_PRELOAD");
    }
    execvp(words[1], words + 1);
    perror(words[1]);
    return 97;
}
