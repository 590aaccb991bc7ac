/**
 * A seccomp program for bubblewrap's `--seccomp`: system calls that code in a sandbox has no use for and
 * that have been ways out of one are refused with EPERM. It is classic BPF as the kernel defines it.
 * @see https://man7.org/linux/man-pages/man2/seccomp.2.html
 */

type Architecture = 'x64' | 'arm64'

/** AUDIT_ARCH_* of linux/audit.h. */
const AUDIT_ARCHITECTURE: Readonly<Record<Architecture, number>> = { x64: 0xc000003e, arm64: 0xc00000b7 }

/** Numbers of asm/unistd.h, [x64, arm64]; -1 where an architecture has no such call. */
const REFUSED: readonly (readonly [number, number])[] = [
  [165, 40], // mount
  [166, 39], // umount2
  [155, 41], // pivot_root
  [161, 51], // chroot
  [428, 428], // open_tree
  [429, 429], // move_mount
  [430, 430], // fsopen
  [431, 431], // fsconfig
  [432, 432], // fsmount
  [433, 433], // fspick
  [442, 442], // mount_setattr
  [308, 268], // setns
  [101, 117], // ptrace
  [310, 270], // process_vm_readv
  [311, 271], // process_vm_writev
  [246, 104], // kexec_load
  [320, 294], // kexec_file_load
  [175, 105], // init_module
  [313, 273], // finit_module
  [176, 106], // delete_module
  [321, 280], // bpf
  [298, 241], // perf_event_open
  [323, 282], // userfaultfd
  [248, 217], // add_key
  [249, 218], // request_key
  [250, 219], // keyctl
  [304, 265], // open_by_handle_at
  [425, 425], // io_uring_setup
  [426, 426], // io_uring_enter
  [427, 427], // io_uring_register
  [167, 224], // swapon
  [168, 225], // swapoff
  [169, 142], // reboot
  [163, 89], // acct
  [103, 116], // syslog
  [159, 171], // adjtimex
  [164, 170], // settimeofday
  [227, 112], // clock_settime
  [172, -1], // iopl
  [173, -1], // ioperm
]

const CLONE = [56, 220] as const
const UNSHARE = [272, 97] as const
/** Its flags lie in memory, where a filter cannot look: told as missing, so that libc falls back to clone. */
const CLONE3 = 435
/** Every CLONE_NEW* flag: cgroup, uts, ipc, user, pid, net, mount, time. */
const NAMESPACE_FLAGS = 0x7e020080
/** System calls of the x32 ABI carry this bit and would go past the numbers above. */
const X32_BIT = 0x40000000

const LOAD = 0x20
const JUMP_EQUAL = 0x15
const JUMP_GREATER_OR_EQUAL = 0x35
const JUMP_ANY_BIT = 0x45
const RETURN = 0x06
const ALLOW = 0x7fff0000
const KILL_PROCESS = 0x80000000
const errno = (code: number): number => 0x00050000 | code
const EPERM = 1
const ENOSYS = 38
/** Offsets in struct seccomp_data. */
const NUMBER_OFFSET = 0
const ARCHITECTURE_OFFSET = 4
const FIRST_ARGUMENT_OFFSET = 16

/** The program for `architecture` (as in process.arch), or undefined where its numbers are not known here. */
export function seccompProgram(architecture: string): Buffer | undefined {
  if (architecture !== 'x64' && architecture !== 'arm64') return undefined
  const column = architecture === 'x64' ? 0 : 1
  const instructions: [code: number, ifTrue: number, ifFalse: number, value: number][] = [
    [LOAD, 0, 0, ARCHITECTURE_OFFSET],
    [JUMP_EQUAL, 1, 0, AUDIT_ARCHITECTURE[architecture]],
    [RETURN, 0, 0, KILL_PROCESS],
    [LOAD, 0, 0, NUMBER_OFFSET],
  ]
  const answer = (code: number, value: number, result: number): void => {
    instructions.push([code, 0, 1, value], [RETURN, 0, 0, result])
  }
  if (architecture === 'x64') answer(JUMP_GREATER_OR_EQUAL, X32_BIT, errno(EPERM))
  answer(JUMP_EQUAL, CLONE3, errno(ENOSYS))
  for (const numbers of REFUSED) if (numbers[column] >= 0) answer(JUMP_EQUAL, numbers[column], errno(EPERM))
  for (const call of [CLONE[column], UNSHARE[column]]) {
    instructions.push(
      [JUMP_EQUAL, 0, 4, call],
      [LOAD, 0, 0, FIRST_ARGUMENT_OFFSET],
      [JUMP_ANY_BIT, 0, 1, NAMESPACE_FLAGS],
      [RETURN, 0, 0, errno(EPERM)],
      [RETURN, 0, 0, ALLOW],
    )
  }
  instructions.push([RETURN, 0, 0, ALLOW])
  const program = Buffer.alloc(instructions.length * 8)
  for (const [index, [code, ifTrue, ifFalse, value]] of instructions.entries()) {
    program.writeUInt16LE(code, index * 8)
    program.writeUInt8(ifTrue, index * 8 + 2)
    program.writeUInt8(ifFalse, index * 8 + 3)
    program.writeUInt32LE(value, index * 8 + 4)
  }
  return program
}
