#!/bin/sh
# Collects what seawall doctor needs to say why connections to a Redis or Valkey server broke.
#
#   sh collect.sh [-h HOST] [-p PORT] [how else redis-cli connects: --user NAME --tls --cacert FILE -u URL -s SOCKET ..]
#
# It only reads. A password comes from the environment (REDISCLI_AUTH), and gets into nothing. Keys, values and arguments
# of commands are left out here already: look through the file before you pass it on, it is plain text.
#
#   SEAWALL_BETWEEN=N   seconds between the two samples (5)
#   SEAWALL_WITHIN=N    seconds that the server may take for all else (30)
#   SEAWALL_OUT=FILE    where to write (seawall-bundle-TIME.txt)
#   SEAWALL_LOG=FILE    the server's log, if it is not where CONFIG GET logfile says
#   SEAWALL_NAMES=no    leave the names of clients out, too
set -u
umask 077
LC_ALL=C
export LC_ALL

wrong() {
    printf 'seawall-collect: %s\n' "$*" >&2
    exit 2
}

missing=''
for tool in redis-cli awk cat date grep head sed sleep tail tr; do
    command -v "$tool" >/dev/null 2>&1 || missing="$missing $tool"
done
[ -z "$missing" ] || wrong "not in the PATH:$missing; run it on another host that has them: sh collect.sh -h HOST -p PORT"

between=${SEAWALL_BETWEEN:-5}
within=${SEAWALL_WITHIN:-30}
for seconds in "$between" "$within"; do
    case $seconds in
    *[!0-9]* | ?????*) wrong "SEAWALL_BETWEEN and SEAWALL_WITHIN are whole seconds, not $seconds" ;;
    esac
done
out=${SEAWALL_OUT:-seawall-bundle-$(date -u +%Y%m%dT%H%M%SZ).txt}

# Only how to connect: redis-cli would take any other word for a command. A URL has a password in it: its host alone is kept.
host=127.0.0.1 port=6379 user=default
options() {
    while [ "$#" -gt 0 ]; do
        case $1 in
        -h | -p | -s | -n | -a | -u | --user | --pass | --sni | --cacert | --cacertdir | --cert | --key | --tls-ciphers | --tls-ciphersuites)
            [ "$#" -gt 1 ] || wrong "$1 has no value"
            case $1 in
            -h) host=$2 ;;
            -p) port=$2 ;;
            -s) host=unix:$2 port='' ;;
            --user) user=$2 ;;
            -u)
                host=${2##*@} user=''
                host=${host#*://}
                host=${host%%/*}
                case $host in *:*) port=${host##*:} host=${host%:*} ;; esac
                ;;
            esac
            shift 2
            ;;
        --tls | --insecure | --no-auth-warning | -2 | -3 | -4 | -6) shift ;;
        *://*) wrong 'a URL is given as -u URL' ;;
        -*) wrong "$1 does not say how to connect: -h -p -s -n -u --user --tls --cacert --cert --key --sni --insecure do; a password comes from REDISCLI_AUTH" ;;
        *) wrong "the server is given as -h HOST -p PORT" ;;
        esac
    done
}
case $* in
'-h' | '--help')
    sed -n '/^#!/d; s/^# \{0,1\}//p; /^[^#]/q' "$0"
    exit 0
    ;;
esac
options "$@"
case $port in *[!0-9]*) wrong "the port $port is no number" ;; esac

# The server is asked nothing after that: redis-cli waits for ever for one that hangs.
ends=$(($(date +%s) + within + between))

# Called when redis-cli is about to be ended.
late() { :; }

# What it reads is handed to it: a shell gives what runs beside it no input.
cli() {
    left=$((ends - $(date +%s)))
    [ "$left" -gt 0 ] || return
    {
        redis-cli --no-auth-warning "$@" <&3 &
        asking=$!
        {
            nap=''
            trap '[ -z "$nap" ] || kill "$nap"; exit' TERM
            sleep "$left" >/dev/null 2>&1 &
            nap=$!
            wait "$nap"
            late
            # Nobody else that has its number by now.
            case $(cat "/proc/$asking/comm" 2>/dev/null) in '' | redis-cli*) kill "$asking" ;; esac
        } 3<&- 2>/dev/null &
        watch=$!
        wait "$asking" 2>/dev/null
        { kill "$watch" && wait "$watch"; } 2>/dev/null
    } 3<&0
}

raw() { cli "$@" 2>/dev/null </dev/null; }
shown() { cli --no-raw "$@" 2>/dev/null </dev/null; }
section() { printf '== seawall %s\n' "$*"; }
of_info() { printf '%s\n' "$info" | tr -d '\r' | sed -n "s/^$1://p" | head -n 1; }

# Of clients: their names, unless they are not wanted.
names() {
    if [ "${SEAWALL_NAMES:-yes}" = no ]; then sed -e 's/ name=[^ ]*/ name=/'; else cat; fi
}

# Of clients: no users.
clients() { sed -e 's/ user=[^ ]*//' | names; }

# Of the slow log: the commands' names, none of their arguments. Those stand further to the right than all else.
slow() {
    awk -v names="${SEAWALL_NAMES:-yes}" \
        '/^ *[0-9]+\) 1\) \(integer\)/ { match($0, /^ *[0-9]+\) /); wide = RLENGTH; print; next }
         { match($0, /^ */); if (RLENGTH > wide + 0) next
           if (names == "no") sub(/^ *6\) ".*/, "")
           if ($0 != "") print }'
}

# Of the log of the ACL: a command that was refused, no key and no channel; of the client its address.
denied() {
    awk '{ said = $0; sub(/^ *([0-9]+\) +)+/, "", said); front = substr($0, 1, length($0) - length(said))
           if (name == "\"object\"" && reason != "\"command\"") said = "\"-\""
           if (name == "\"reason\"") reason = said
           if (name == "\"client-info\"") {
               if (match(said, /addr=[^ "]*/)) said = "\"" substr(said, RSTART, RLENGTH) "\""; else said = "\"-\""
           }
           print front said; name = said }'
}

# Of a server's log: lines with a head, and nothing that stands in quotes.
log_lines() {
    sed -n -E -e 's/ \(qbuf initial bytes.*//' -e 's/Query buffer during protocol error.*//' -e 's/(argv|key) .*found in DB.*//' \
        -e '/^[0-9]+:[A-Za-z-]+ /b keep' -e '/^\[[0-9]+\] /b keep' -e '/^pid=/b as_is' -e d \
        -e ': keep' -e "s/ '.*'/ '-'/" -e 's/"[^"]*"/"-"/g' \
        -e ': as_is' -e 's/ user=[^ ]*//' -e p | names
}

# Whether a connection to the server's port is still not made.
knocks() {
    cat /proc/net/tcp /proc/net/tcp6 2>/dev/null |
        awk -v port="$(printf ':%04X$' "$port" 2>/dev/null)" '$4 == "02" && $3 ~ port { found = 1 } END { exit !found }'
}

# What redis-cli says of a server that it cannot talk to.
reached() {
    late() { if knocks; then echo 'Could not connect to Redis at it: Connection timed out'; else echo 'no answer'; fi; }
    [ "$within" -lt 5 ] || ends=$(($(date +%s) + 5))
    cli "$@" PING 2>&1 </dev/null |
        sed -n -E -e 's/.*(Could not connect to Redis) at .*: (.*)/\1: \2/p' \
            -e 's/.*(WRONGPASS|NOAUTH|DENIED|NOPERM|LOADING|MASTERDOWN|max number of clients|SSL_connect failed|Server closed the connection|Unrecognized option|no answer|PONG).*/\1/p' |
        head -n 1
}

# Whether the server runs on this host: elsewhere its files and its journal are those of another.
is_here() {
    case $(cat "/proc/$(of_info process_id)/comm" 2>/dev/null) in
    *redis* | *valkey* | *keydb*) ;;
    *) return 1 ;;
    esac
}

value() { [ -r "$2" ] && printf '%s: %s\n' "$1" "$(head -n 1 "$2" 2>/dev/null)"; }

host() {
    printf 'uname: %s\n' "$(uname -sr 2>/dev/null)"
    value somaxconn /proc/sys/net/core/somaxconn
    value tcp_max_syn_backlog /proc/sys/net/ipv4/tcp_max_syn_backlog
    value tcp_keepalive_time /proc/sys/net/ipv4/tcp_keepalive_time
    value tcp_retries2 /proc/sys/net/ipv4/tcp_retries2
    value tcp_tw_reuse /proc/sys/net/ipv4/tcp_tw_reuse
    value ip_local_port_range /proc/sys/net/ipv4/ip_local_port_range
    value overcommit_memory /proc/sys/vm/overcommit_memory
    value swappiness /proc/sys/vm/swappiness
    value transparent_hugepage /sys/kernel/mm/transparent_hugepage/enabled
    value clocksource /sys/devices/system/clocksource/clocksource0/current_clocksource
    value nf_conntrack_count /proc/sys/net/netfilter/nf_conntrack_count
    value nf_conntrack_max /proc/sys/net/netfilter/nf_conntrack_max
    value loadavg /proc/loadavg
    awk '/^(MemTotal|MemAvailable|SwapTotal|SwapFree):/ { print tolower(substr($1, 1, length($1) - 1)) "_kb: " $2 }' \
        /proc/meminfo 2>/dev/null
    awk '/^TCP:/ { for (i = 2; i < NF; i += 2) print "sockets_" $i ": " $(i + 1) }' /proc/net/sockstat 2>/dev/null
    awk 'seen[$1]++ == 0 { split($0, names); next }
         { for (i = 2; i <= NF; i++)
               if (names[i] ~ /^(ListenOverflows|ListenDrops|TCPTimeouts|TCPBacklogDrop|TCPReqQFullDrop|TCPReqQFullDoCookies|TCPAbortOnMemory|PruneCalled|RcvPruned|TCPSynRetrans|RetransSegs|OutSegs)$/)
                   print names[i] ": " $i }' /proc/net/netstat /proc/net/snmp 2>/dev/null
    is_here || return
    pid=$(of_info process_id)
    printf 'pid: %s\n' "$pid"
    awk '/^Max open files/ { print "max_open_files: " $4 }' "/proc/$pid/limits" 2>/dev/null
    set -- "/proc/$pid/fd"/*
    [ "$#" -gt 1 ] && printf 'open_files: %s\n' "$#"
    value oom_score_adj "/proc/$pid/oom_score_adj"
    awk '/^(VmRSS|VmSwap):/ { print tolower(substr($1, 1, length($1) - 1)) "_kb: " $2 }' "/proc/$pid/status" 2>/dev/null
    awk '/^AnonHugePages:/ { print "anon_huge_pages_kb: " $2 }' "/proc/$pid/smaps_rollup" 2>/dev/null
    cgroup
}

# By either version of cgroups: the first keeps each kind of limit in a folder of its own.
cgroup() {
    group=$(sed -n 's/^[0-9]*:memory://p' "/proc/$pid/cgroup" 2>/dev/null)
    if [ -n "$group" ]; then
        memory=memory$group
        cpu=cpu$(sed -n -E 's/^[0-9]+:cpu(,cpuacct)?://p' "/proc/$pid/cgroup" | head -n 1)
    else
        group=$(sed -n 's/^0:://p' "/proc/$pid/cgroup" 2>/dev/null)
        memory=${group#/} cpu=${group#/}
    fi
    [ -n "$group" ] || return
    printf 'cgroup: %s\n' "$group"
    for file in memory.max memory.limit_in_bytes; do
        value cgroup_memory_max "/sys/fs/cgroup/$memory/$file"
    done | sed 's/ [0-9]\{19,\}$/ max/'
    for file in memory.current memory.usage_in_bytes; do
        value cgroup_memory_current "/sys/fs/cgroup/$memory/$file"
    done
    for file in memory.events memory.oom_control; do
        awk '/^(oom|oom_kill|max) / { print "cgroup_" $1 ": " $2 }' "/sys/fs/cgroup/$memory/$file" 2>/dev/null
    done
    awk '/^nr_throttled / { print "cgroup_throttled: " $2 }' "/sys/fs/cgroup/$cpu/cpu.stat" 2>/dev/null
}

server_log() {
    [ -n "${SEAWALL_LOG:-}" ] || is_here || return
    file=${SEAWALL_LOG:-$(raw "$@" CONFIG GET logfile | sed -n 2p)}
    case $file in
    /* | '') ;;
    *) file=$(raw "$@" CONFIG GET dir | sed -n 2p)/$file ;;
    esac
    if [ -n "$file" ] && [ -r "$file" ] && [ -f "$file" ]; then
        section "log of $file"
        tail -n 5000 "$file" | log_lines
    elif [ -z "$file" ] && command -v journalctl >/dev/null 2>&1; then
        section 'log of the journal'
        journalctl --no-pager -q -o cat -n 5000 -u 'redis*' -u 'valkey*' 2>/dev/null </dev/null | log_lines
    fi
}

kernel_log() {
    # Nobody else than a reader of it says that it is clean.
    dmesg >/dev/null 2>&1 && echo '# read'
    { dmesg --time-format iso 2>/dev/null || dmesg 2>/dev/null; } </dev/null |
        grep -E 'Killed process|[Oo]ut of memory|oom-kill|SYN flooding|table full|segfault|hung_task|blocked for more' |
        tail -n 400
}

sentinel() {
    for name in $(raw "$@" SENTINEL MASTERS | awk 'said == "name" { print } { said = $0 }'); do
        for what in REPLICAS SENTINELS CKQUORUM; do
            section "SENTINEL $what $name"
            shown "$@" SENTINEL "$what" "$name"
        done
    done
}

settings() {
    set_names='@SETTINGS@'
    # Several names at once are understood since 7.0.
    case $version in
    [1-6].* | '')
        for name in $set_names; do printf 'CONFIG GET %s\n' "$name"; done |
            cli --no-raw "$@" 2>/dev/null
        ;;
    *)
        # shellcheck disable=SC2086 # The names are words of our own.
        shown "$@" CONFIG GET $set_names
        ;;
    esac
}

collect() {
    section 'bundle 1'
    printf 'time: %s\nzone: %s\n' "$(date +%s)" "$(date +%z)"
    printf 'host: %s\nport: %s\nuser: %s\n' "$host" "$port" "$user"
    section ping
    printf '%s\n' "$reached"
    case $reached in
    'Could not connect'* | 'no answer') info='' ;;
    *) server "$@" ;;
    esac
    section host
    host
    server_log "$@"
    section kernel
    kernel_log
    section end
}

server() {
    info=$(raw "$@" INFO everything)
    [ -n "$info" ] || info=$(raw "$@" INFO all)
    version=$(of_info redis_version)
    section INFO
    printf '%s\n' "$info"
    if [ "$(of_info redis_mode)" = sentinel ]; then
        section ROLE
        shown "$@" ROLE
        section SENTINEL MASTERS
        shown "$@" SENTINEL MASTERS
        sentinel "$@"
    else
        section CONFIG GET
        settings "$@"
        connected=$(of_info connected_clients)
        if [ "${connected:-0}" -le 10000 ]; then
            section CLIENT LIST
            raw "$@" CLIENT LIST | clients
        else
            # Not of all: nobody waits for this script.
            section CLIENT LIST TYPE
            raw "$@" CLIENT LIST TYPE pubsub | clients
            raw "$@" CLIENT LIST TYPE replica | clients
        fi
        section SLOWLOG GET
        shown "$@" SLOWLOG GET 128 | slow
        section LATENCY LATEST
        shown "$@" LATENCY LATEST
        section MEMORY STATS
        shown "$@" MEMORY STATS
        section ACL LOG
        shown "$@" ACL LOG 128 | denied
        section ROLE
        shown "$@" ROLE
        if [ "$(of_info cluster_enabled)" = 1 ]; then
            section CLUSTER INFO
            raw "$@" CLUSTER INFO
            section CLUSTER NODES
            raw "$@" CLUSTER NODES
        fi
    fi
    if [ -n "$info" ]; then
        sleep "$between"
        section INFO
        info=$(raw "$@" INFO everything)
        [ -n "$info" ] || info=$(raw "$@" INFO all)
        printf '%s\n' "$info"
    fi
}

reached=$(reached "$@")
[ "$reached" != 'Unrecognized option' ] || wrong 'this redis-cli does not know one of these options: redis-cli --help has those that it knows'
collect "$@" >"$out" || exit 2
echo "$out"
