# $2 is the lease in hundredths of a second, $3 the undo, $4 the text of the loop.
lease=$2 undo=$3 loop=$4

begin() {
  # What a login has started may end with it; what the service manager has started does not.
  if [ -d /run/systemd/system ] && [ -O /run/systemd/system ] && command -v systemd-run >/dev/null &&
    systemd-run --collect --quiet --unit="$tag" sh "$d/loop" </dev/null >/dev/null 2>&1; then
    return
  fi
  if command -v setsid >/dev/null; then
    setsid sh "$d/loop" </dev/null >/dev/null 2>&1 &
  else
    sh "$d/loop" </dev/null >/dev/null 2>&1 &
  fi
}

loops
if folder && [ -n "$pids" ]; then
  [ "$(cat "$d/undo")" = "$(printf '%s\n' "$undo")" ] || fail "it is armed already, with another undo; its loop is process$pids"
  (extend "$lease") >&2 || exit 1
  echo armed
  exit
fi
[ -z "$pids" ] || fail "an earlier one of its name, whose folder is gone, is still undoing; its loop is process$pids"
while folder; do
  rm -rf "$d" || exit 1
done

made=
for base in $folders; do
  d=$base/$tag
  if [ -e "$d" ] || [ -L "$d" ]; then fail "$d is in the way, and it is not ours; remove it"; fi
  mkdir -m 700 "$d" 2>/dev/null || continue
  mine && made=yes && break
  rm -rf "$d"
done
[ -n "$made" ] || fail "no folder for it can be made in any of: $folders"

clock && printf '%s\n' "$undo" >"$d/undo" && printf '%s\n' "$loop" >"$d/loop" && true >"$d/until-$((now + lease))" || {
  rm -rf "$d"
  fail "nothing can be written in $base"
}
begin
patience=$((now + 800))
until breathing; do
  if ! clock || [ "$now" -ge "$patience" ]; then
    said=
    { read -r said <"$d/log"; } 2>/dev/null
    end
    fail "its loop did not start${said:+: $said}"
  fi
  nap
done
(extend "$lease") >&2 || { # the lease begins when the loop is at work
  end
  exit 1
}
echo armed
