# The loop of a timer: undoes one injection unless its lease is renewed. To undo by hand: sh undo, in its folder.
# Its name is FOLDER/TAG/loop. When in doubt it undoes; only the state disarmed makes it end without a deed.
d=${0%/*}
tag=${d##*/}

over() {
  trap - EXIT
  exit 0
}

umask 077
cd / || exit 1
undo=
while IFS= read -r line; do
  undo="$undo$line
"
done <"$d/undo"
[ -n "$undo" ] || exit 1
true >"$d/log" && exec </dev/null >>"$d/log" 2>&1 || exit 1
usual=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
case $PATH in *"$usual") ;; *) PATH=${PATH:+$PATH:}$usual ;; esac # once: it would grow with every new beginning
export PATH
told=
trap '' HUP
trap 'told=1' TERM
trap 'exec sh "$0"' EXIT # a shell ends when it cannot fork, for want of processes; this begins anew, and needs none

while :; do
  look
  case $state in
  until-*) why='it was not renewed in time' ;;
  gone) why='its folder was removed' ;;
  fired) break ;;
  *) over ;;
  esac
  [ -z "$told" ] || why='it was told to end'
  if clock; then
    put "$d/alive" "$$ $now"
    if [ -z "$told" ] && [ "$state" != gone ] && [ "$now" -lt "${state#until-}" ]; then
      sleep 1
      continue
    fi
  else
    why='it could not read the time'
  fi
  printf '%s\n' "$why" >"$d/why"
  mv -f "$d/$state" "$d/fired" && break
  # Renewed or disarmed meanwhile, or else it cannot be renamed: then it undoes unmarked, and whoever renews all the
  # same is to find no loop. The order matters: they rename first and look for the loop after that.
  was=$state
  put "$d/alive" '0 0'
  look
  [ "$state" != "$was" ] || break
done

rest() { # seconds
  left=$1
  while [ "$left" -gt 0 ]; do
    look
    [ "$state" != disarmed ] || over
    sleep 1
    left=$((left - 1))
  done
}

clock
give_up=$((now + 360000))
pause=1
until sh -c "$undo" "$tag"; do
  rest "$pause"
  clock && [ "$now" -ge "$give_up" ] && over
  [ "$pause" -ge 30 ] || pause=$((pause * 2))
  true >"$d/log"
done
mv -f "$d/fired" "$d/undone"
over
