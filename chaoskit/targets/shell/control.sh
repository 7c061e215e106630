# What arming, renewing, disarming and listing share. $1 is the tag; standard output is an answer.
folders='/run /tmp /dev/shm'
tag=$1
umask 077
cd /
trap '' HUP

fail() {
  printf '%s\n' "$*" >&2
  exit 1
}

lost() { # an answer, not a failure
  printf '%s\n' "$*"
  exit 3
}

nap() { sleep 0.02 2>/dev/null || sleep 1; }

folder() { # d: the timer's folder
  for base in $folders; do
    d=$base/$tag
    mine && return
  done
  return 1
}

command_of() { # line: the command of a process, its words run together; empty for a zombie
  line=
  { read -r line <"/proc/$1/cmdline"; } 2>/dev/null
  [ -n "$line" ]
}

is_loop() { # pid: whether it runs a loop, sees the same files as we do, and is ours; at: that loop's folder
  command_of "$1" || return 1
  for base in $folders; do
    case $line in
    *sh"$base"/chaoskit-*/loop)
      at=${line##*sh"$base"/}
      at=$base/${at%/loop}
      [ -O "/proc/$1" ] && [ "/proc/$1/root" -ef / ] && return
      ;;
    esac
  done
  return 1
}

loops() { # pids: every loop of this tag
  pids=
  for p in /proc/[0-9]*; do
    is_loop "${p#/proc/}" && [ "${at##*/}" = "$tag" ] && pids="$pids ${p#/proc/}"
  done
  true
}

breathing() { # whether the loop lives and looks; trouble: what is wrong with it
  trouble='its loop has died'
  pid= stamp=
  { read -r pid stamp <"$d/alive"; } 2>/dev/null
  [ -n "$stamp" ] && is_loop "$pid" && [ "$at" = "$d" ] && clock || return 1
  trouble="its loop (process $pid) has not looked for $(((now - stamp) / 100))s"
  [ $((now - stamp)) -lt 1000 ]
}

extend() { # hundredths of a second from now; calls lost when the lease is
  for try in 1 2 3 4 5 6 7 8; do
    look
    case $state in
    until-*) ;;
    fired | undone)
      why= said=
      { read -r why <"$d/why"; } 2>/dev/null
      { read -r said <"$d/log"; } 2>/dev/null
      [ "$state" = fired ] || lost "it fired (${why:-for no known reason}) and has undone the injection"
      lost "it fired (${why:-for no known reason}) and has not undone the injection yet${said:+: $said}"
      ;;
    disarmed) lost 'it was disarmed' ;;
    *) lost "its folder $d was removed" ;;
    esac
    clock || fail '/proc/uptime cannot be read'
    next=until-$((now + $1))
    [ "$next" != "$state" ] || next=until-$((now + $1 + 1))
    if said=$(mv -f "$d/$state" "$d/$next" 2>&1); then
      breathing || lost "$trouble; to undo by hand: sh $d/undo"
      return
    fi
  done
  lost "it cannot be renewed: $said"
}

end() { # the loop ends without a deed, its folder goes; calls fail when that cannot be proven
  marked=yes waiting=
  while folder; do
    for try in 1 2 3 4 5; do
      look
      case $state in
      disarmed) break ;;
      gone) true >"$d/disarmed" ;;
      until-*) mv -f "$d/$state" "$d/disarmed" && waiting=yes ;;
      *) mv -f "$d/$state" "$d/disarmed" ;;
      esac
    done 2>/dev/null
    look
    [ "$state" = disarmed ] || marked=
    { [ -n "$waiting" ] && cut_short; } || { [ -n "$marked" ] && ended 500; } || { stop && ended 300; } ||
      fail "its loop (process$pids) does not end"
    said=$(rm -rf "$d" 2>&1)
    [ ! -e "$d" ] || fail "its folder $d cannot be removed: $said"
  done
  ended 500 || { stop && ended 300; } || fail "its loop (process$pids) does not end"
}

cut_short() { # a loop that only waits, and cannot fire any more, need not be waited for
  pid= stamp=
  { read -r pid stamp <"$d/alive"; } 2>/dev/null
  [ -n "$pid" ] && is_loop "$pid" && [ "$at" = "$d" ] || return 1
  kill -KILL "-$pid" 2>/dev/null || kill -KILL "$pid" 2>/dev/null
  for try in 1 2 3 4 5; do
    is_loop "$pid" || return 0
    nap
  done
  return 1
}

ended() { # hundredths of a second to wait at most
  clock || fail '/proc/uptime cannot be read'
  patience=$((now + $1))
  while loops && [ -n "$pids" ]; do
    clock && [ "$now" -lt "$patience" ] || return 1
    nap
  done
}

stop() { # by force, with what the loop has started
  loops
  for p in $pids; do
    kill -KILL "-$p" 2>/dev/null || kill -KILL "$p" 2>/dev/null
  done
  true
}
