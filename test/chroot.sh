# test/chroot.sh: Debian systems with another PostgreSQL (bash, sourced after
# test/lib.sh)
#
#   chroots_can_be_made   says why not on standard error
#   chroots_lock          waits until nobody else uses them
#   chroot_ready VERSION  makes the chroot of PostgreSQL VERSION, unless there
#                         is one
#   chroot_run VERSION SCRATCH USER COMMAND...
#                         runs COMMAND inside, SCRATCH being its /tmp
#
# Chroots are kept in $VIDTOKEN_CHROOTS (/var/cache/vidtoken where that is
# not set), outside of any checkout: what runs in a fresh one finds them. To
# have one made anew, remove its directory.
#
# Invariants a maintainer must keep:
# - Packages come from the mirror that this machine's apt is configured for.
# - A chroot is made aside and renamed when it is whole. One that another
#   recipe made is made anew.
# - What runs inside has mounts and processes of its own (namespaces): both
#   are gone when the first process inside ends, whatever ends it.
# - Inside, nothing is written but /tmp and what is installed there.
#
# Copyright (c) 2026, the vidtoken authors

: "${VIDTOKEN_CHROOTS:=/var/cache/vidtoken}"

# The Debian that has PostgreSQL VERSION; it has neither 14 nor 16.
declare -A suite_of=([13]=bullseye [15]=bookworm [17]=trixie [18]=forky)

# Who runs tests inside: the same number everywhere, so that a server can read
# a keyring that another's test wrote.
tester=20432

#
# What this machine allows
#

chroots_can_be_made() {
    local reason=

    if [ "$(id -u)" != 0 ]; then
        reason='only root can make a chroot'
    elif ! have apt-get || ! debian_mirror >/dev/null; then
        reason='apt is not configured for a Debian mirror'
    elif ! have debootstrap &&
        ! { apt_update && apt_install debootstrap && have debootstrap; }; then
        reason='there is no debootstrap, and it cannot be installed'
    elif ! mkdir -p "$VIDTOKEN_CHROOTS" || ! mounting_works; then
        reason='this machine does not let root mount'
    fi 2>/dev/null
    [ -z "$reason" ] || printf 'vidtoken: %s\n' "$reason" >&2
    [ -z "$reason" ]
}

# debian_mirror [LABEL]: the first one of apt's configuration.
debian_mirror() {
    local mirror

    mirror=$(apt-get indextargets --format '$(REPO_URI)' \
        'Created-By: Packages' 'Origin: Debian' "Label: ${1-Debian}" |
        head -n 1)
    [ -n "$mirror" ] && printf '%s\n' "${mirror%/}"
}

mounting_works() {
    in_namespace sh -c 'mount -t tmpfs tmpfs "$1"' sh "$VIDTOKEN_CHROOTS"
}

# in_namespace COMMAND...: what COMMAND mounts, nobody else sees; what it
# starts, does not outlive it. SIGTERM reaches COMMAND, not this unshare.
in_namespace() {
    unshare --mount --pid --ipc --fork --kill-child --mount-proc -- "$@"
}

#
# Making one
#

# Held until the script and all that it started have ended.
chroots_lock() {
    exec {chroots_lock_fd}>"$VIDTOKEN_CHROOTS/lock" &&
        { flock -n "$chroots_lock_fd" ||
            { echo 'vidtoken: waiting for another run in the chroots' >&2 &&
                in_group TERM flock "$chroots_lock_fd"; }; }
}

chroot_ready() {
    local dir=$VIDTOKEN_CHROOTS/$1

    [ "$(cat "$dir/recipe" 2>/dev/null)" != "$(chroot_recipe "$1")" ] ||
        return 0
    rm -rf --one-file-system "$dir" "$dir.new"
    chroot_make "$1" "$dir.new" && mv -T "$dir.new" "$dir"
}

# What a run that ends early has begun.
chroots_remove_unfinished() {
    rm -rf --one-file-system "$VIDTOKEN_CHROOTS"/*.new
}

# chroot_recipe VERSION: all that a chroot is made of. The packages of the
# second line are left out where a Debian does not have them.
chroot_recipe() {
    echo "postgresql-$1 make gcc libc6-dev libssl-dev libpq-dev openssl perl" \
        "python3 procps"
    echo "postgresql-$1-pgtap libtap-parser-sourcehandler-pgtap-perl" \
        "libipc-run-perl python3-cryptography python3-jwt python3-psycopg2" \
        "pgbouncer"
    echo "postgresql-server-dev-$1"
    declare -f chroot_make chroot_configure chroot_sources chroot_install
}

chroot_make() {
    local version=$1 dir=$2 suite=${suite_of[$1]} mirror script= proxy=

    mirror=$(debian_mirror) || return
    eval "$(apt-config shell proxy Acquire::http::Proxy)"
    # A debootstrap that is older than the suite makes it like sid.
    [ -e "/usr/share/debootstrap/scripts/$suite" ] ||
        script=/usr/share/debootstrap/scripts/sid
    mkdir "$dir" &&
        in_namespace env ${proxy:+http_proxy="$proxy"} \
            debootstrap --variant=minbase "$suite" "$dir" "$mirror" \
            ${script:+"$script"} &&
        chroot_configure "$dir" &&
        chroot_sources "$dir" "$suite" "$mirror" &&
        chroot_recipe "$version" >"$dir/recipe.new" &&
        in_namespace chroot "$dir" /bin/bash -c \
            "$(declare -f chroot_install)"'; chroot_install "$@"' bash \
            "$version" "$suite" "$tester" &&
        mv "$dir/recipe.new" "$dir/recipe"
}

# Nothing starts in there by itself, and nothing is worth an fsync.
chroot_configure() {
    printf '#!/bin/sh\nexit 101\n' >"$1/usr/sbin/policy-rc.d" &&
        chmod 0755 "$1/usr/sbin/policy-rc.d" &&
        mkdir -p "$1/etc/postgresql-common" &&
        echo 'create_main_cluster = false' \
            >"$1/etc/postgresql-common/createcluster.conf" &&
        echo force-unsafe-io >"$1/etc/dpkg/dpkg.cfg.d/unsafe-io"
}

# Apt inside goes where apt outside goes. Security updates are taken where
# there are any. PyJWT before version 2 has another interface: the one of the
# next Debian is there for the asking.
chroot_sources() {
    local list=$1/etc/apt/sources.list security

    echo "deb $3 $2 main" >"$list"
    if [ "$2" != forky ] && security=$(debian_mirror Debian-Security); then
        echo "deb $security $2-security main" >>"$list"
    fi
    if [ "$2" = bullseye ]; then
        echo "deb $3 bookworm main" >>"$list"
        printf 'Package: *\nPin: release n=bookworm\nPin-Priority: 1\n' \
            >"$1/etc/apt/preferences.d/bookworm"
    fi
    {
        apt-config dump |
            grep -E '^Acquire::(https?::.*Proxy|Check-(Valid-Until|Date)) '
        echo 'Acquire::Languages "none";'
        echo 'Acquire::Retries "3";'
        echo 'APT::Install-Recommends "0";'
    } >"$1/etc/apt/apt.conf.d/vidtoken"
}

# Runs inside. The server's headers would bring clang and llvm, 1 GB that no
# test needs: they are unpacked, not installed. Where the mirror does not have
# those of the last security update, older ones of the same version will do.
chroot_install() {
    local version=$1 suite=$2 tester=$3 package wanted

    export DEBIAN_FRONTEND=noninteractive
    mount -t proc proc /proc && apt-get -q update || return
    wanted=($(sed -n 1p /recipe.new))
    for package in $(sed -n 2p /recipe.new); do
        ! apt-get -s -q install "$package" >/dev/null 2>&1 ||
            wanted+=("$package")
    done
    [ "$suite" != bullseye ] || wanted+=(python3-jwt/bookworm)
    apt-get -q -y install "${wanted[@]}" || return
    package=$(sed -n 3p /recipe.new)
    cd /var/tmp &&
        { apt-get -q download "$package" ||
            apt-get -q download "$package/$suite"; } &&
        dpkg-deb -x "$package"_*.deb / && rm "$package"_*.deb &&
        useradd --uid "$tester" --create-home tester &&
        apt-get clean && rm -rf /var/lib/apt/lists/*
}

#
# Running in one
#

chroot_run() {
    local dir=$VIDTOKEN_CHROOTS/$1 scratch=$2 user=$3

    shift 3
    in_namespace sh -c '
        dir=$1 scratch=$2 user=$3
        shift 3
        mount -t proc proc "$dir/proc" &&
            mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$dir/dev/shm" &&
            mount --bind "$scratch" "$dir/tmp" || exit
        chroot --userspec="$user" "$dir" env -i LC_ALL=C.UTF-8 HOME=/tmp \
            PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
            "$@"
    ' sh "$dir" "$scratch" "$user" "$@"
}
