#!/bin/bash
# Programs that map files and browse them, on the tree; eight readers at once see what a lone one
# sees, while snapshots are taken and dropped beside them; and one whose snapshot is dropped gets an
# error and does not hang.
. "$(dirname "$0")/../functions.sh"

start_guest vm -m 256M
for role in zoo threads shared 'touch 16' memfd-exec plant; do
  start_in_guest vm "ROLE=$role" "is-${role%% *}" >/dev/null
done
touch=$(start_in_guest vm ROLE='touch 8' mapped)
mount_guest vm
dacsa snapshot vm now >/dev/null
snapshot=$mnt/vm/now
things=(processes kernel json physmem cpus modules netconns) # all that does not change

# --- eight readers, of a snapshot that nobody has looked at before

# shellcheck disable=SC2016 # expanded by the reader's shell
readers=(
  "python3 $root/tests/read-tree read ${things[*]}"
  "python3 $root/tests/read-tree mmap ${things[*]}"
  "python3 $root/tests/read-tree glance ${things[*]}"
  "find ${things[*]} -printf '%i %s %b %m %n %T@ %p\n' | sort"
  "find processes kernel json -type f -print0 | sort -z | xargs -0 sha256sum"
  "tar -S --sort=name -cf - ${things[*]} | sha256sum"
  "grep -rc . processes kernel json | sort"
  "strings -a processes/*/memory | sha256sum; file -N processes/*/exe | sort"
)

# reader NUMBER: runs it in the snapshot; the case itself stays out of the mount.
reader() {
  (cd "$snapshot" && timeout 120 bash -o pipefail -c "${readers[$1]}")
}

# take_and_drop FILE: as long as FILE is there, and once at least.
take_and_drop() {
  local n=0
  while [ -e "$1" ] || [ $n = 0 ]; do
    dacsa snapshot vm "beside$n" >/dev/null
    head -c 100000 "$mnt/vm/beside$n/processes/1/memory" >/dev/null
    dacsa drop "vm/beside$((n++))"
  done
  echo "$n snapshots taken and dropped beside"
}

touch "$tmp/busy"
take_and_drop "$tmp/busy" >"$tmp/beside" &
beside=$!
pids=()
for i in "${!readers[@]}"; do
  reader "$i" >"$tmp/together.$i" 2>"$tmp/complaints.$i" &
  pids+=($!)
done
for i in "${!readers[@]}"; do
  wait "${pids[i]}" || fail "${readers[i]}: ended with $?: $(cat "$tmp/complaints.$i")"
  [ ! -s "$tmp/complaints.$i" ] || fail "${readers[i]}: $(cat "$tmp/complaints.$i")"
done
rm "$tmp/busy"
wait $beside || fail "snapshots cannot be taken and dropped beside readers"
cat "$tmp/beside"

for i in "${!readers[@]}"; do
  [ -s "$tmp/together.$i" ] || fail "${readers[i]}: no output"
  reader "$i" >"$tmp/alone.$i"
  cmp "$tmp/alone.$i" "$tmp/together.$i" || fail "${readers[i]}: alone it sees something else"
done

# --- mapped or read, it is the same, and it is what sha256sum has read

same "$(cat "$tmp/together.0")" "$(cat "$tmp/together.1")" "what is read and what is mapped"
python3 - "$snapshot"/processes/*/memory <<'PYTHON' || fail "a mapped memory is not what is read of it"
import mmap, sys

for path in sys.argv[1:]:
    with open(path, "rb") as file:
        content = file.read()
        if content:
            mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
            assert mapped[:] == content, path
            assert mapped.find(b"\x7fELF") == content.find(b"\x7fELF"), path
PYTHON

# --- a file manager, on a terminal: it lists a directory with all sizes, and views a file

python3 - "$snapshot/processes/1" "$tmp" <<'PYTHON' || fail "mc does not show what is there"
import os, pty, select, signal, sys

directory, home = sys.argv[1:]
F10 = b"\x1b[21~"


def run_mc(arguments, wanted):
    """Runs mc until it has shown all that is wanted, then presses F10 until it ends."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update(TERM="xterm", LINES="40", COLUMNS="120", HOME=home, MC_PROFILE_ROOT=home)
        os.execvp("mc", ["mc", "--nosubshell", "--nomouse", "--nocolor", *arguments])
    screen = b""
    while missing := [text for text in wanted if text not in screen]:
        if not select.select([terminal], [], [], 30)[0]:
            sys.exit(f"mc does not show {missing} but {screen!r}")
        screen += os.read(terminal, 65536)
    try:
        for _ in range(100):
            os.write(terminal, F10)
            while select.select([terminal], [], [], 0.2)[0]:
                os.read(terminal, 65536)
        os.kill(pid, signal.SIGKILL)  # it does not end
    except OSError:  # the terminal's other end is closed
        pass
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status != 0:
        sys.exit(f"mc ends with {status}")


names = os.listdir(directory)
sizes = [os.stat(f"{directory}/{name}").st_size for name in names]
run_mc([directory, directory], [f"{word}".encode() for word in names + sizes])
run_mc(["--view", f"{directory}/status"], open(f"{directory}/status", "rb").read().split()[:20])
PYTHON

# --- a snapshot that is dropped under its readers

dacsa snapshot vm doomed >/dev/null
python3 - "$mnt/vm/doomed" "$touch" <<'PYTHON' || fail "readers of a dropped snapshot do not end as they should"
import errno, os, signal, subprocess, sys, threading

snapshot = sys.argv[1]
allowed = (errno.EIO, errno.ENOENT, errno.ESTALE)
ends, begun = [], threading.Barrier(7)


def endless(step):
    """Does step again and again until it fails."""
    begun.wait()
    try:
        while True:
            step()
    except OSError as error:
        ends.append(error.errno)


def reread(path):
    file = os.open(path, os.O_RDONLY)
    size = os.fstat(file).st_size

    def step():
        for at in range(0, size, 1 << 20):
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)  # not from the page cache
            os.pread(file, 4096, at)

    return step


def open_again(path):
    return lambda: os.close(os.open(path, os.O_RDONLY))


process = f"{snapshot}/processes/1"
steps = [
    reread(f"{process}/memory"),
    reread(f"{snapshot}/physmem"),
    open_again(f"{process}/maps"),
    open_again(f"{process}/pagemap"),
    lambda: os.stat(f"{process}/status"),
    lambda: os.listdir(f"{snapshot}/processes"),
]
threads = [threading.Thread(target=endless, args=(step,), daemon=True) for step in steps]
for thread in threads:
    thread.start()
# One that has mapped a file, of which nobody has read that page.
mapped = subprocess.Popen(
    ["python3", "-c", """
import mmap, sys
file = open(sys.argv[1], "rb")
content = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
print("mapped", flush=True)
sys.stdin.readline()
sum(content[::4096])
""", f"{snapshot}/processes/{sys.argv[2]}/memory"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
assert mapped.stdout.readline() == b"mapped\n"
begun.wait()
os.rmdir(snapshot)
mapped.communicate(b"\n", timeout=20)
if mapped.returncode != -signal.SIGBUS:
    sys.exit(f"the reader of a mapped file ends with {mapped.returncode}")
for thread in threads:
    thread.join(20)
if any(thread.is_alive() for thread in threads):
    sys.exit(f"a reader goes on; the others ended with {ends}")
wrong = [number for number in ends if number not in allowed]
if wrong:
    sys.exit(f"errors {wrong}")
print("ended with", sorted(errno.errorcode[number] for number in ends))
PYTHON
[ ! -e "$mnt/vm/doomed" ] || fail "the dropped snapshot is still there"
same "$(cat "$snapshot/processes/1/comm")" init "the name of process 1 and that"
