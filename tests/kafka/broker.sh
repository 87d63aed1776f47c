#!/usr/bin/env bash
# A real Apache Kafka on loopback, for tests: one broker in KRaft mode, from its Maven artefacts.
#
#   broker.sh start DIR [OWNER]   start one that keeps its files in DIR (a new or an earlier one's
#                         folder), wait until it answers, print "HOST:PORT HOST:PORT": the address
#                         to use, and that of a listener that wants SASL PLAIN, user alice, password
#                         secret. It ends, at the latest, when the process OWNER has ended.
#   broker.sh kill DIR    end it as a crash would; `start` with the same DIR continues it
#   broker.sh stop DIR    end it for good
#
# The jars (46 MB) are downloaded once, into $FRESHET_KAFKA_JARS, or ~/.cache/freshet/kafka.
# Exit code 77, with the reason on standard error, where no broker can be had: tests then skip.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
jars=${FRESHET_KAFKA_JARS:-$HOME/.cache/freshet/kafka}

skip() { printf 'broker.sh: %s\n' "$*" >&2; exit 77; }
fail() { printf 'broker.sh: %s\n' "$*" >&2; exit 1; }

# Another process may be downloading at the same time: whole folders are moved into place.
provide_jars() {
  [[ -e "$jars/complete" ]] && return
  [[ -z $(find "$jars.absent" -mmin -60 2>/dev/null) ]] ||
    skip "the jars of Kafka could not be downloaded within the last hour; remove $jars.absent to try again"
  command -v mvn >/dev/null || skip "Maven is not installed; install the package maven"
  local partial="$jars.$$"
  mkdir -p "$partial"
  if ! timeout 120 mvn -q -B -f "$here/pom.xml" \
      org.apache.maven.plugins:maven-dependency-plugin:copy-dependencies \
      -DoutputDirectory="$partial" -DincludeScope=runtime >"$partial/maven.log" 2>&1; then
    local reason
    reason=$(grep -m 1 ERROR "$partial/maven.log" || echo "see to the network")
    rm -rf "$partial"
    touch "$jars.absent"
    skip "the jars of Kafka cannot be downloaded ($reason)"
  fi
  touch "$partial/complete"
  mkdir -p "$(dirname "$jars")"
  mv -T "$partial" "$jars" 2>/dev/null || rm -rf "$partial"
}

is_listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

free_port() {
  local port
  while :; do
    port=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
    is_listening "$port" || break
  done
  printf '%s' "$port"
}

configure() {
  local plain=$1 sasl=$2 controller=$3
  cat >"$dir/server.properties" <<END
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$controller
controller.listener.names=CONTROLLER
listeners=PLAIN://127.0.0.1:$plain,SASL://127.0.0.1:$sasl,CONTROLLER://127.0.0.1:$controller
advertised.listeners=PLAIN://127.0.0.1:$plain,SASL://127.0.0.1:$sasl
listener.security.protocol.map=PLAIN:PLAINTEXT,SASL:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAIN
sasl.enabled.mechanisms=PLAIN
listener.name.sasl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_alice="secret";
log.dirs=$dir/data
num.partitions=1
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
group.initial.rebalance.delay.ms=0
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=4000
log.segment.bytes=134217728
END
  printf '%s %s\n' "127.0.0.1:$plain" "127.0.0.1:$sasl" >"$dir/addresses"
}

run_java() { exec java -Xmx384m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -cp "$jars/*" "$@"; }

end_with_owner() {
  while kill -0 "$owner" && kill -0 "$1"; do sleep 1; done
  kill -9 "$1"
}

start_once() {
  local plain
  plain=$(sed 's/^[^:]*:\([0-9]*\) .*/\1/' "$dir/addresses")
  # The shell of `&` becomes Java: its number is the one to kill.
  run_java kafka.Kafka "$dir/server.properties" >>"$dir/log" 2>&1 </dev/null &
  echo $! >"$dir/pid"
  disown
  if [[ -n "$owner" ]]; then
    end_with_owner "$(cat "$dir/pid")" >/dev/null 2>&1 </dev/null &
    disown
  fi
  until is_listening "$plain"; do
    kill -0 "$(cat "$dir/pid")" 2>/dev/null || return 1  # Another process has taken a port.
    sleep 0.1
  done
}

start() {
  command -v java >/dev/null || skip "Java is not installed; install the package default-jre-headless"
  provide_jars
  mkdir -p "$dir"
  if [[ -e "$dir/addresses" ]]; then
    start_once || fail "the broker does not start again; see $dir/log"
  else
    local attempt
    for attempt in 1 2 3 4 5; do
      configure "$(free_port)" "$(free_port)" "$(free_port)"
      rm -rf "$dir/data"
      (run_java kafka.tools.StorageTool format -t MkU3OEVBNTcwNTJENDM2Qg \
        -c "$dir/server.properties" >>"$dir/log" 2>&1) || skip "its folder cannot be formatted; see $dir/log"
      start_once && break
      [[ $attempt -lt 5 ]] || skip "the broker does not start; see $dir/log"
    done
  fi
  cat "$dir/addresses"
}

end() {
  local process
  process=$(cat "$dir/pid" 2>/dev/null) || return 0
  kill -9 "$process" 2>/dev/null || true
  while kill -0 "$process" 2>/dev/null; do sleep 0.05; done
  rm -f "$dir/pid"
}

[[ $# -eq 2 || $# -eq 3 ]] || fail "wanted: start DIR [OWNER], kill DIR, or stop DIR"
dir=$2
owner=${3-}
case $1 in
  start) start ;;
  kill) end ;;
  stop) end; rm -rf "$dir/data" ;;
  *) fail "'$1' is not one of start, kill, stop" ;;
esac
