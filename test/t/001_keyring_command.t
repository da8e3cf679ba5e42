#!/usr/bin/perl
#
# The command vidtoken-keyring: what it writes, what it refuses, and that no
# byte of a key shows.
#
# It runs on files in a temporary directory, as root and as an ordinary user:
#
#     prove test/t/001_keyring_command.t
#
# Asymmetric keys are made with the program openssl.  What becomes of them is
# compared with what openssl shows, and used by Python's jwt where that is.
#
# Copyright (c) 2026, the vidtoken authors
#
# test/t/001_keyring_command.t

use strict;
use warnings;

use Encode qw(encode);
use Fcntl qw(:DEFAULT :flock :mode);
use File::Temp qw(tempdir);
use FindBin;
use JSON::PP ();
use MIME::Base64 qw(encode_base64 encode_base64url decode_base64url);
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

my $root = "$FindBin::RealBin/../..";
my $command = "$root/src/bin/vidtoken-keyring";
my $top = tempdir(CLEANUP => 1);
my $am_root = $> == 0;
my $has_openssl = `openssl version 2>&1` =~ /^OpenSSL/;

# A command that refuses its words does not read what is sent to it.
$SIG{PIPE} = 'IGNORE';

# What no output may show, and all output there was.
my @canaries = ('canary');
my @private_members = qw(k d p q dp dq qi);
my $transcript = '';

# An ordinary user to become, where root runs this.
my @nobody = getpwnam 'nobody';
my $can_drop = $am_root && @nobody && nobody_can_run();

chmod 0755, $top or die "chmod: $!";
plan skip_all => "no $command" if !-x $command;

# ---- helpers ----

# A new directory for one group of tests.
my $places = 0;

sub place
{
    my $dir = "$top/" . ++$places;
    mkdir $dir or die "mkdir: $!";
    chmod 0755, $dir or die "chmod: $!";
    return $dir;
}

# A secret that is easy to find in an output.
my $secrets = 0;

sub secret
{
    my ($length) = @_;
    my $secret = sprintf('canary%04d', ++$secrets);
    $secret .= join '', map { ('a' .. 'z', 0 .. 9)[ rand 36 ] }
        1 .. ($length // 40) - length $secret;
    push @canaries, encode_base64url($secret);
    return $secret;
}

sub slurp
{
    my ($file) = @_;
    open my $handle, '<:raw', $file or return;
    local $/;
    return scalar <$handle> // '';
}

sub spew
{
    my ($file, $bytes, $mode) = @_;
    open my $handle, '>:raw', $file or die "$file: $!";
    print $handle $bytes;
    close $handle or die "$file: $!";
    chmod $mode // 0600, $file or die "chmod: $!";
}

sub become
{
    my ($uid, $gid) = @_;
    $) = "$gid $gid";
    $( = $gid;
    POSIX::setuid($uid);
    return $> == $uid && $< == $uid;
}

sub nobody_can_run
{
    my $pid = fork // die "fork: $!";
    if (!$pid)
    {
        POSIX::_exit(become(@nobody[ 2, 3 ]) && -r $command ? 0 : 1);
    }
    waitpid $pid, 0;
    return $? == 0;
}

# Starts the command; returns what finish() needs.
#   stdin: its standard input    as: [uid, gid] to become
#   through: words before it     stdout: a file for its standard output
#   no_stdin: it is closed       ignoring: a signal that is ignored from above
#   path: where it finds programs
my $runs = 0;

sub start
{
    my ($arguments, %how) = @_;
    my $base = "$top/run" . ++$runs;
    my $out = $how{stdout} // "$base.out";

    spew("$base.in", $how{stdin} // '');
    my $pid = fork // die "fork: $!";
    if (!$pid)
    {
        open STDIN, '<:raw', "$base.in" or POSIX::_exit(99);
        open STDOUT, '>:raw', $out or POSIX::_exit(99);
        open STDERR, '>:raw', "$base.err" or POSIX::_exit(99);
        close STDIN if $how{no_stdin};
        # A shell starts background jobs with SIGINT ignored.
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
        $SIG{ $how{ignoring} } = 'IGNORE' if $how{ignoring};
        become(@{ $how{as} }) or POSIX::_exit(98) if $how{as};
        $ENV{PATH} = $how{path} if defined $how{path};
        alarm 60;    # a command that hangs is a failure
        exec @{ $how{through} // [] }, $^X, $command, @$arguments
            or POSIX::_exit(97);
    }
    return { pid => $pid, base => $base, out => $out };
}

sub finish
{
    my ($run) = @_;
    waitpid $run->{pid}, 0;
    my $status = $? & 127 ? 'signal ' . ($? & 127) : $? >> 8;
    my $out = -f $run->{out} ? slurp($run->{out}) : '';
    my $err = slurp("$run->{base}.err");

    $transcript .= $out . $err;
    unlink map { "$run->{base}.$_" } qw(in out err);
    return { status => $status, out => $out, err => $err };
}

sub run
{
    return finish(start(@_));
}

sub add
{
    my ($file, $kid, $secret, @options) = @_;
    return run([ 'add', $file, $kid, 'HS256', @options ], stdin => $secret);
}

sub succeeds
{
    my ($got, $what) = @_;
    is($got->{status}, 0, $what) or diag($got->{err});
}

# The command says no: exit 1, two lines of one form, nothing on stdout.
sub refuses
{
    my ($got, $why, $what) = @_;
    ok( $got->{status} eq '1'
            && $got->{out} eq ''
            && $got->{err} =~
            /\Avidtoken-keyring: [a-z][^\n]*: [^\n]*[^.\n]\nHINT: [^\n]+\.\n\z/
            && $got->{err} =~ $why,
        $what)
        or diag("$got->{status}: $got->{out}$got->{err}");
}

sub misused
{
    my ($got, $what) = @_;
    ok( $got->{status} eq '2'
            && $got->{out} eq ''
            && $got->{err} =~ /^Usage:$/m,
        $what)
        or diag("$got->{status}: $got->{out}$got->{err}");
}

# The keys of a file, whose bytes must not show from now on.
sub keys_of
{
    my ($file) = @_;
    my $set = JSON::PP->new->utf8->allow_bignum->decode(slurp($file));
    for my $key (@{ $set->{keys} })
    {
        push @canaries,
            grep { length > 20 } map { $key->{$_} // '' } @private_members;
    }
    return @{ $set->{keys} };
}

sub key_of
{
    my ($file, $kid) = @_;
    return (grep { $_->{kid} eq $kid } keys_of($file))[0];
}

sub name_keys
{
    return grep { ($_->{vidtoken_use} // '') eq 'name' } keys_of($_[0]);
}

sub litter
{
    my ($dir) = @_;
    opendir my $handle, $dir or die "$dir: $!";
    return join ' ', grep { /\A\.vidtoken/ } readdir $handle;
}

sub access_of
{
    my @stat = stat $_[0];
    return sprintf '%d:%d %04o', @stat[ 4, 5 ], S_IMODE($stat[2]);
}

sub key_seen
{
    my ($file, $kid) = @_;
    return index(slurp($file), "\"$kid\"") >= 0;
}

# What openssl prints.
sub openssl
{
    my ($input, $words) = @_;
    spew("$top/openssl.in", $input);
    return scalar `openssl $words <'$top/openssl.in' 2>/dev/null` // '';
}

# A new private key as PEM, whose lines must not show from now on.
sub new_pem
{
    my ($words) = @_;
    my $pem = openssl('', "genpkey $words");
    like($pem, qr/-----END .*PRIVATE KEY-----\n\z/, "openssl makes: $words");
    push @canaries, grep { /\A[^-]{30,}\z/ } split /\n/, $pem;
    return $pem;
}

sub public_pem
{
    return openssl($_[0], 'pkey -pubout');
}

sub add_pem
{
    my ($file, $kid, $alg, $pem, @options) = @_;
    return run([ 'add', $file, $kid, $alg, @options ], stdin => $pem);
}

sub members_of
{
    return join ' ', sort keys %{ key_of(@_) // {} };
}

# DER, for keys that openssl does not make.
sub der
{
    my ($tag, @contents) = @_;
    my $content = join '', @contents;
    my $length = length $content;
    return pack('C', $tag)
        . (
          $length < 128 ? pack('C', $length)
        : $length < 256 ? pack('CC', 0x81, $length)
        :                 pack('Cn', 0x82, $length)) . $content;
}

sub der_number
{
    my $bytes = $_[0] =~ s/\A\0+(?=.)//sr;
    return der(2, ord $bytes > 127 ? "\0$bytes" : $bytes);
}

sub pem_of
{
    my ($label, $der) = @_;
    my $base64 = encode_base64($der, '') =~ s/(.{1,64})/$1\n/gr;
    return "-----BEGIN $label-----\n$base64-----END $label-----\n";
}

sub ed25519_pem
{
    my ($hex) = @_;
    return pem_of('PUBLIC KEY',
        der(0x30, pack('H*', '300506032b6570'), der(3, pack 'H*', "00$hex")));
}

sub rsa_public_pem
{
    my ($n, $e) = @_;
    return pem_of('PUBLIC KEY',
        der(0x30,
            der(0x30, pack 'H*', '06092a864886f70d0101010500'),
            der(3, "\0", der(0x30, der_number($n), der_number($e)))));
}

# RFC 5915, with the private key alone.
sub ec_pem
{
    my ($d) = @_;
    return pem_of('EC PRIVATE KEY',
        der(0x30, der(2, "\1"), der(4, $d),
            der(0xa0, pack 'H*', '06082a8648ce3d030107')));
}

# A number with its highest and its lowest bit set.
sub odd_number
{
    my ($bits) = @_;
    my $text = '1' . join '', map { int rand 2 } 3 .. $bits;
    $text = "${text}1";
    return pack 'B*', '0' x (-$bits % 8) . $text;
}

# The numbers that "openssl pkey -text" shows, by the names of their members.
sub numbers_of
{
    my ($pem) = @_;
    my %name = (
        modulus => 'n', publicExponent => 'e', privateExponent => 'd',
        prime1 => 'p', prime2 => 'q', exponent1 => 'dp', exponent2 => 'dq',
        coefficient => 'qi', priv => 'd', pub => 'pub');
    my $text = openssl($pem, 'pkey -noout -text');
    my %number;

    while ($text =~ /^(\w+):(?: \d+ \(0x(\w+)\))?\n((?: +[0-9a-f:]+\n)*)/mg)
    {
        my ($word, $small, $digits) = ($1, $2, $3);
        my $hex = defined $small ? $small : $digits =~ s/[\s:]//gr;
        $number{ $name{$word} } = $hex if $name{$word};
    }
    return \%number;
}

sub hex_of
{
    return unpack 'H*', decode_base64url($_[0] // '');
}

# A keyring of one token key and one name key, without running the command.
sub sample
{
    my @keys = map {
        { kty => 'oct', alg => 'HS256', k => encode_base64url(secret()), %$_ }
    } { kid => 'SKold' }, { kid => 'name-old', vidtoken_use => 'name' };
    return JSON::PP->new->utf8->canonical->encode({ keys => \@keys });
}

# ---- words ----

{
    my $help = run(['--help']);
    succeeds($help, '--help');
    like($help->{out}, qr/^Usage:\n.* add FILE KID ALG/m, 'help names add');
    like($help->{out}, qr/^  vidtoken-keyring $_ FILE/m, "help names $_")
        for qw(generate rotate list remove);
    like($help->{out}, qr/(?<![\w-])$_\b/, "help names $_")
        for qw(HS256 HS384 HS512 HS1 RS256 ES256 EdDSA --use --provider --owner
        --replace --force --pem-file --pem --bits --generate);
    unlike($help->{out}, qr/.{80}/, 'its lines fit a screen');
    is($help->{err}, '', 'help goes to standard output');
    is(run([ 'add', '--help' ])->{out}, $help->{out}, 'add --help');

    my $version = run(['--version']);
    succeeds($version, '--version');
    like($version->{out}, qr/\Avidtoken-keyring .*\b1\.0\n\z/, 'it is 1.0');

    my $file = place() . '/k';
    misused(run([]), 'no word');
    misused(run(['canary']), 'an unknown word');
    misused(run(['ADD']), 'a word in capitals');
    misused(run([ 'add', $file, 'SK1' ]), 'add without ALG');
    misused(run([ 'add', $file, 'SK1', 'HS256', secret() ]),
        'add with the secret as an argument');
    misused(run(['list']), 'list without FILE');
    misused(run([ 'list', $file, 'x' ]), 'list with too much');
    misused(run([ 'list', $file, '--replace' ]), 'list with an option of add');
    misused(run([ 'remove', $file ]), 'remove without KID');
    misused(run([ 'add', $file, 'SK1', 'HS256', '--secret=canary' ]),
        'an unknown option');
    misused(run([ 'add', $file, 'SK1', 'HS256', '--use' ]),
        'an option without its value');
    misused(run([ 'add', $file, 'SK1', 'HS256', '--rep' ]),
        'an abbreviated option');
    misused(run([ 'add', $file, 'SK1', 'RS256', '--bits', '2048' ]),
        'add with an option of generate');
    misused(run([ 'generate', $file, 'SK1' ]), 'generate without ALG');
    misused(run([ 'generate', $file, 'SK1', 'RS256', '--pem-file', '/k' ]),
        'generate with an option of add');
    misused(run([ 'rotate', $file, 'SK1' ]), 'rotate without NEW_KID');
    misused(run([ 'rotate', $file, 'SK1', 'SK2', '--replace' ]),
        'rotate with an option of add');
    misused(run([ 'rotate', $file, 'SK1', 'SK2', @$_ ]), "rotate with @$_")
        for [qw(--pem --generate)], [qw(--pem --pem-file /k)],
        [qw(--generate --pem-file /k)];
    ok(!-e $file, 'a command that is not understood makes no file');
}

# ---- add ----

{
    my $dir = place();
    my $file = "$dir/keyring.json";
    my @owner = $am_root ? ('--owner', 'root') : ();
    my $secret = secret();
    my $got = add($file, 'SK1', "$secret\n", '--provider', 'twilio', @owner);

    succeeds($got, 'add makes a keyring');
    is($got->{out}, '', 'add says nothing on standard output');
    like(
        $got->{err},
        qr/\A\S+: made name key "name-[a-z2-7]{8}": .*\nHINT: .*\n\z/,
        'add tells of the name key it made');
    is_deeply(
        key_of($file, 'SK1'),
        {
            kty => 'oct', kid => 'SK1', alg => 'HS256',
            k => encode_base64url($secret), provider => 'twilio'
        },
        'the key is a JWK');
    unlike(slurp($file), qr/=/, 'base64url without padding');
    is((stat $file)[2] & 07777, 0600, 'mode 0600');

    my @name = name_keys($file);
    is(scalar @name, 1, 'one name key');
    is(join(' ', sort keys %{ $name[0] }), 'alg k kid kty vidtoken_use',
        'the name key has no other member');
    is($name[0]{alg}, 'HS256', 'the name key is for HS256');
    is(length decode_base64url($name[0]{k}), 32, 'the name key has 32 bytes');

    my $next = secret();
    $got = add($file, 'WH', $next, '--use', 'webhook');
    succeeds($got, 'a second key');
    is($got->{err}, '', 'the name key is made once');
    is(key_of($file, 'WH')->{vidtoken_use}, 'webhook', '--use webhook');
    succeeds(add($file, 'TU', secret(), '--use=turn'), 'an option with =');
    is(key_of($file, 'TU')->{vidtoken_use}, 'turn', '--use turn');
    succeeds(add($file, 'TO', secret(), '--use', 'token'), '--use token');
    ok(!exists key_of($file, 'TO')->{vidtoken_use},
        'the default use is left out');
    is_deeply([ name_keys($file) ], \@name, 'the name key stays');
    is(
        join(' ', map { $_->{kid} } keys_of($file)),
        "SK1 $name[0]{kid} WH TU TO",
        'keys stay in the order they came');
    is(litter($dir), '', 'nothing is left beside the file');

    my $before = slurp($file);
    refuses(add($file, 'SK1', secret()), qr/"SK1".*has a key with this id/,
        'a key id twice is refused');
    refuses(add($file, 'N', secret(), '--use', 'name'),
        qr/"N".*has one: "name-/, 'a second name key is refused');
    refuses(add($file, 'X', secret(), '--use', 'canary'),
        qr/--use.*\n.*token, webhook, turn, name/,
        'an unknown use is refused');
    refuses(add($file, 'X', secret(), '--provider', $_),
        qr/--provider/, 'a bad provider is refused')
        for '', 'Twilio', "tw\nilio", 'a b', "caf\xc3\xa9", 'a' x 64;
    refuses(
        run([ 'add', $file, 'X', $_ ], stdin => secret()),
        qr/: it is not known\n.*: ES256, EdDSA, HS1, HS256, HS384, HS512, RS256\./,
        "algorithm '$_' is refused")
        for 'HS128', 'hs1', 'HS224', 'hs256', 'none', 'RS512', 'PS256', 'ES384',
        'ES256K', 'eddsa', 'Ed25519', '', 'canary';
    is(slurp($file), $before, 'a refusal changes nothing');

    my $byte_secret = secret();
    succeeds(add($file, 'SK1', $byte_secret, '--replace'), '--replace');
    is_deeply(
        key_of($file, 'SK1'),
        {
            kty => 'oct', kid => 'SK1', alg => 'HS256',
            k => encode_base64url($byte_secret), provider => 'twilio'
        },
        'replace changes the secret and keeps the provider');
    is((keys_of($file))[0]{kid}, 'SK1', 'the replaced key keeps its place');
    succeeds(add($file, 'WH', secret(), '--replace', '--provider', 'daily'),
        'replace a webhook key');
    is(key_of($file, 'WH')->{vidtoken_use}, 'webhook',
        'it stays a webhook key');
    is(key_of($file, 'WH')->{provider}, 'daily', 'its provider is set');
    succeeds(add($file, 'WH', secret(), '--replace', '--use', 'token'),
        'replace its use');
    ok(!exists key_of($file, 'WH')->{vidtoken_use}, 'now it is a token key');
    succeeds(add($file, 'new', secret(), '--replace'),
        '--replace of a key that is not there adds it');

    $before = slurp($file);
    refuses(add($file, $name[0]{kid}, secret(), '--replace'),
        qr/it is the name key\nHINT: .*--force/,
        'replacing the name key is refused');
    is(slurp($file), $before, 'and the name key stays');
    my $names = secret();
    succeeds(add($file, $name[0]{kid}, $names, '--replace', '--force'),
        'replacing it with --force');
    is_deeply(
        [ map { "$_->{kid} $_->{k}" } name_keys($file) ],
        [ "$name[0]{kid} " . encode_base64url($names) ],
        'it is still the one name key');

    my $own = place() . '/k';
    $got = add($own, 'rooms', secret(), '--use', 'name', @owner);
    succeeds($got, 'a name key of one\'s own');
    is($got->{err}, '', 'then none is made');
    is(scalar keys_of($own), 1, 'and it is the only key');
}

# ---- the secret's bytes ----

{
    my $file = place() . '/k';
    my $base = secret();
    my @kept = (
        [ 'no line ending', $base, $base ],
        [ 'a newline', "$base\n", $base ],
        [ 'a CR LF', "$base\r\n", $base ],
        [ 'two newlines lose one', "$base\n\n", "$base\n" ],
        [ 'a lone CR stays', "$base\r", "$base\r" ],
        [ 'spaces stay', "  $base \n", "  $base " ],
        [ 'a newline inside stays', "$base\n$base\n", "$base\n$base" ],
        [ 'any bytes stay', "$base\xff\xfe\x80\n", "$base\xff\xfe\x80" ],
        [ 'UTF-8 stays', "$base\xc3\xbc\n", "$base\xc3\xbc" ],
        [ 'base64 is not decoded', ('QUJD' x 12) . '==' ],
        [ 'hex is not decoded', 'ab' x 16 ],
        [ '32 bytes', secret(32) ],
        [ '4096 bytes', secret(4096) ],
    );
    my $i = 0;

    spew($file, sample());
    for my $case (@kept)
    {
        my ($what, $in, $bytes) = @$case;
        push @canaries, $in;
        succeeds(add($file, 'k' . ++$i, $in), "secret: $what");
        is(decode_base64url(key_of($file, "k$i")->{k}), $bytes // $in,
            '... as they are');
    }

    my $before = slurp($file);
    my @refused = (
        [ 'nothing', '', qr/it is empty/ ],
        [ 'a bare newline', "\n", qr/it is empty/ ],
        [ 'six bytes', 'canary', qr/shorter than 32 .*\n.*livekit-server/ ],
        [ '31 bytes', secret(31), qr/shorter than 32 bytes/ ],
        [ '31 bytes and a newline', secret(31) . "\r\n", qr/shorter than 32/ ],
        [ 'a NUL byte', secret() . "\0x", qr/NUL/ ],
        [ '4097 bytes', secret(4097), qr/too long/ ],
        [ 'a large file', secret() x 5000, qr/too long/ ],
    );
    refuses(add($file, 'bad', $_->[1]), $_->[2], "secret: $_->[0] is refused")
        for @refused;
    refuses(run([ 'add', $file, 'bad', 'HS256' ], no_stdin => 1),
        qr/empty|could not read/, 'a closed standard input is refused');
    is(slurp($file), $before, 'refused secrets change nothing');
}

# ---- key ids ----

{
    my $file = place() . '/k';
    my @good = (
        'a "quoted" id', "back\\slash", "it's", '{"kid":"x"}', '0', '1e3',
        "\xc3\xbcml\xc3\xa4ut \xf0\x9f\x94\x91", '../../etc', '%s%n', 'x' x 256
    );
    my @bad = (
        [ '', qr/empty/ ],
        [ "a\nb", qr/control/ ],
        [ "a\e[31m", qr/control/ ],
        [ "a\x7f", qr/control/ ],
        [ "a\xc2\x85b", qr/control/ ],
        [ "a\xff", qr/not UTF-8/ ],
        [ "\xed\xa0\x80", qr/not UTF-8/ ],
        [ "\xc0\xaf", qr/not UTF-8/ ],
        [ 'x' x 257, qr/too long/ ],
        [ "\xc3\xbc" x 129, qr/too long/ ],
    );

    spew($file, sample());
    for my $kid (@good)
    {
        my $text = Encode::decode('UTF-8', $kid);
        my $secret = secret();
        succeeds(add($file, $kid, $secret), "key id $kid");
        is(key_of($file, $text)->{k}, encode_base64url($secret),
            '... is kept');
        like(slurp($file), qr/"kid": "/, '... as a string');
        like(run([ 'list', $file ])->{out}, qr/^\Q$kid\E +HS256/m,
            '... is listed');
        refuses(add($file, $kid, secret()), qr/has a key with this id/,
            '... and taken');
    }
    succeeds(run([ 'remove', $file, $_ ]), "remove $_") for @good;
    is(scalar keys_of($file), 2, 'all are gone');

    succeeds(run([ 'add', '--', $file, '-x', 'HS256' ], stdin => secret()),
        'an id with a dash, after --');
    refuses(add($file, $_->[0], secret()), $_->[1], 'a bad key id is refused')
        for @bad;
    is(scalar keys_of($file), 3, 'no bad one came in');
}

# ---- list and remove ----

{
    my $file = place() . '/k';
    spew($file,
        '{"keys":['
            . '{"kid":"SK1","kty":"oct","alg":"HS256","k":"canary",'
            . '"provider":"twilio"},'
            . '{"kid":"rsa-2026","kty":"RSA","alg":"RS256",'
            . '"pem_file":"canary.pem"},'
            . "{\"kid\":\"\xc3\xbc\","
            . '"vidtoken_use":"name","k":"canary"},'
            . '{"kid":"odd\u001b[31m\u202e","alg":5,"vidtoken_use":[],'
            . '"provider":null}]}');
    my $got = run([ 'list', $file ]);
    succeeds($got, 'list');
    is($got->{err}, '', 'list says nothing on standard error');
    is( $got->{out},
        "KID                  ALG    USE    PROVIDER  KEY     THUMBPRINT\n"
            . "SK1                  HS256  token  twilio    secret  -\n"
            . "rsa-2026             RS256  token  -         -       -\n"
            . "\xc3\xbc                    -      name   -         -       -\n"
            . "odd\\u001b[31m\\u202e  ?      ?      ?         -       -\n",
        'a line a key, aligned, control characters spelt out');

    spew($file, '{"keys":[]}');
    is( run([ 'list', $file ])->{out},
        "KID  ALG  USE  PROVIDER  KEY  THUMBPRINT\n",
        'a keyring without keys has a header');
    refuses(run([ 'list', "$file.none" ]), qr/No such file/,
        'an absent file is refused');
    SKIP:
    {
        skip 'no /dev/full', 1 if !-c '/dev/full';
        refuses(run([ 'list', $file ], stdout => '/dev/full'),
            qr/could not write to standard output/, 'a full disk is told of');
    }

    spew($file, sample());
    my $before = slurp($file);
    refuses(run([ 'remove', $file, 'SK' ]), qr/"SK": the keyring has no such/,
        'an unknown key cannot be removed');
    refuses(run([ 'remove', $file, 'name-old' ]),
        qr/it is the name key\nHINT: Every room name and default identity/,
        'removing the name key is refused');
    is(slurp($file), $before, 'and nothing changed');
    refuses(run([ 'remove', "$file.none", 'SK1' ]), qr/No such file/,
        'nothing can be removed from an absent file');
    ok(!-e "$file.none", 'and none is made');
    my $got_removed = run([ 'remove', $file, 'SKold' ]);
    succeeds($got_removed, 'remove');
    is($got_removed->{out} . $got_removed->{err}, '', 'without a word');
    is(join(' ', map { $_->{kid} } keys_of($file)), 'name-old',
        'the other key stays');
    succeeds(run([ 'remove', $file, 'name-old', '--force' ]),
        'remove the name key with --force');
    is(scalar keys_of($file), 0, 'no key is left');
    succeeds(add($file, 'SK2', secret()), 'add to a keyring without keys');
    is(scalar name_keys($file), 1, 'makes a name key again');
}

# ---- what is handed on ----

{
    my $file = place() . '/k';
    my $json = JSON::PP->new->utf8->allow_bignum;
    spew($file, <<'END');
{"comment": "caf\u00e9 \ud83d\udd11",
 "numbers": [18446744073709551617, 9007199254740993, -9223372036854775809,
             1234567890123456789012345, 0.1, 1.5, 12e2, 0],
 "keys": [
  {"kid": "r", "kty": "RSA", "n": "0vx7", "e": "AQAB", "use": "sig",
   "key_ops": ["verify"], "x5c": ["a", "b"], "exp": 1.5, "ok": true,
   "none": null, "deep": {"a": [{"b": [1, -2, 3e2]}]}, "5": "5"},
  {"kid": "e", "kty": "EC", "alg": "ES256", "pem_file": "/etc/k/ec.pem"},
  {"kid": "SK1", "kty": "oct", "alg": "HS256", "k": "x", "note": "mine"}]}
END
    my $want = $json->decode(slurp($file));
    succeeds(add($file, 'SK2', secret()), 'add beside foreign keys');
    my $have = $json->decode(slurp($file));
    my @added = splice @{ $have->{keys} }, 3;
    is_deeply($have, $want, 'what was there is there');
    is(scalar @added, 2, 'beside the key and a name key');
    my $digits = slurp($file) =~ s/\s//gr;
    like(
        $digits,
        qr/"numbers":\[18446744073709551617,9007199254740993,
            -9223372036854775809,1234567890123456789012345,
            0\.1,1\.5,1200,0\]/x,
        'a number keeps its value, however long');
    like(slurp($file), qr/"ok": true,?$/m, 'true stays true');

    my $before = slurp($file);
    succeeds(run([ 'remove', $file, 'SK2' ]), 'remove the new key');
    my $secret = secret();
    succeeds(add($file, 'SK2', $secret), 'and add it again');
    is(scalar keys_of($file), 5, 'nothing else changed');
    succeeds(add($file, 'SK1', secret(), '--replace'), 'replace SK1');
    is(key_of($file, 'SK1')->{note}, 'mine',
        'it keeps what it says of itself');
    succeeds(add($file, 'r', secret(), '--replace'), 'replace an RSA key');
    is(join(' ', sort keys %{ key_of($file, 'r') }), 'alg k kid kty',
        'nothing of the RSA key stays in the oct key');
}

# ---- files that are refused ----

{
    my $dir = place();
    my $file = "$dir/k";
    my $key = '"kty":"oct","alg":"HS256","k":"canary-in-the-file"';
    my $good = "{\"keys\":[{\"kid\":\"a\",$key}]}";
    my @broken = (
        [ 'empty', '' ],
        [ 'text', 'canary' ],
        [ 'cut off in a key', "{\"keys\":[{\"kid\":\"a\",\"k\":\"canary" ],
        [ 'cut off', "{\"keys\":[{\"kid\":\"a\",$key}" ],
        [ 'something after it', "$good canary" ],
        [ 'two documents', "$good$good" ],
        [ 'a comma too much', "{\"keys\":[{\"kid\":\"a\",$key},]}" ],
        [ 'a comment', "$good // canary" ],
        [ 'single quotes', "{'keys':['canary']}" ],
        [ 'a bare word', "{\"keys\":[canary]}" ],
        [ 'a bad escape', "{\"keys\":[{\"kid\":\"a\",\"k\":\"\\xcanary\"}]}" ],
        [ 'a lone surrogate', "{\"keys\":[{\"kid\":\"\\udc00canary\"}]}" ],
        [ 'half a pair', "{\"keys\":[{\"kid\":\"\\ud800canary\"}]}" ],
        [ 'a line in a string', "{\"keys\":[{\"kid\":\"a\ncanary\"}]}" ],
        [ 'a leading zero', "{\"keys\":[],\"n\":01,\"s\":\"canary\"}" ],
        [ 'NaN', "{\"keys\":[],\"n\":NaN,\"s\":\"canary\"}" ],
        [ 'other digits', "{\"keys\":[],\"n\":1\xd9\xa3}" ],
        [ 'a huge number', "{\"keys\":[],\"n\":1e131071}" ],
        [ 'a long number', '{"keys":[],"n":' . '1' x 41 . '}' ],
        [ 'depth', '{"keys":[],"d":' . '[' x 70 . ']' x 70 . '}' ],
        [ 'a BOM', "\xef\xbb\xbf$good" ],
        [ 'not UTF-8', "{\"keys\":[{\"kid\":\"a\",\"k\":\"canary\xff\"}]}" ],
        [ 'UTF-16', encode('UTF-16LE', $good) ],
        [ 'an array', "[{\"kid\":\"a\",$key}]" ],
        [ 'a string', '"canary"' ],
        [ 'null', 'null' ],
        [ 'one bare key', "{\"kid\":\"a\",$key}" ],
        [ 'no keys', '{}' ],
        [ 'keys is an object', "{\"keys\":{\"kid\":\"a\",$key}}" ],
        [ 'keys is null', '{"keys":null}' ],
        [ 'a key is a string', '{"keys":["canary"]}' ],
        [ 'a key is null', '{"keys":[null]}' ],
        [ 'no kid', "{\"keys\":[{$key}]}" ],
        [ 'a number as kid', "{\"keys\":[{\"kid\":5,$key}]}" ],
        [ 'a big number as kid', '{"keys":[{"kid":9999999999999999999}]}' ],
        [ 'null as kid', "{\"keys\":[{\"kid\":null,$key}]}" ],
        [ 'true as kid', "{\"keys\":[{\"kid\":true,$key}]}" ],
        [ 'a list as kid', "{\"keys\":[{\"kid\":[\"a\"],$key}]}" ],
        [ 'a kid twice',
            "{\"keys\":[{\"kid\":\"a\",$key},{\"kid\":\"\\u0061\"}]}" ],
        [ 'keys twice', "{\"keys\":[],\"keys\":[{\"kid\":\"a\",$key}]}" ],
        [ 'a member twice',
            "{\"keys\":[{\"kid\":\"a\",\"kid\":\"b\",$key}]}" ],
        [ 'a member twice, escaped',
            "{\"keys\":[{\"kid\":\"a\",\"\\u006bid\":\"b\",$key}]}" ],
        [ 'a member twice, deep', "{\"keys\":[],\"a\":[{\"b\":1,\"b\":2}]}" ],
    );

    for my $case (@broken)
    {
        my ($what, $bytes) = @$case;
        my $why = qr/cannot read keyring ".*k": .*\nHINT: /;
        spew($file, $bytes);
        refuses(run([ 'list', $file ]), $why, "$what: list refuses");
        refuses(add($file, 'SK', secret()), $why, "$what: add refuses");
        is(slurp($file), $bytes, "$what: the file stays as it is");
    }
    refuses(run([ 'remove', $file, 'a' ]), qr/has a member twice/,
        'remove refuses likewise');
    spew($file, "$good\n\t ");
    succeeds(run([ 'list', $file ]), 'white space around it is fine');
    spew($file, '{"keys":[],"a":[{"b":1},{"b":1}],"c":["d","d"],"k":":"}');
    succeeds(run([ 'list', $file ]), 'equal members of two objects are fine');
    spew($file, '{"keys":[],"s":"' . 'a\n' x 200_000 . '"}');
    succeeds(run([ 'list', $file ]), 'many escapes in a string are fine');
    spew($file, '{"keys":[],"d":' . '[' x 60 . ']' x 60 . '}');
    succeeds(run([ 'list', $file ]), 'some depth is fine');
    spew($file, "{\"keys\":[\n{\"kid\":\"a\",\n\"k\":canary}]}");
    like(run([ 'list', $file ])->{err}, qr/not valid JSON at line 3$/m,
        'the line of the mistake is told');
    is(litter($dir), '', 'no refusal leaves anything behind');
}

{
    my $dir = place();
    my $file = "$dir/k";
    my $limit = 1024 * 1024;
    my $why;

    spew($file, '{"keys":[]}' . ' ' x ($limit - 11));
    succeeds(run([ 'list', $file ]), '1 MB is read');
    spew($file, '{"keys":[]}' . ' ' x ($limit - 10));
    $why = qr/larger than 1 MB/;
    refuses(run([ 'list', $file ]), $why, 'a byte more is refused by list');
    refuses(add($file, 'SK', secret()), $why, '... by add');
    refuses(run([ 'remove', $file, 'SK' ]), $why, '... by remove');
    my $large = '{"keys":[],"note":"' . 'n' x ($limit - 100) . '"}';
    spew($file, $large);
    refuses(add($file, 'SK', secret()), qr/would be larger than 1 MB/,
        'a keyring is not made too large');
    ok(slurp($file) eq $large, 'and stays as it is');

    SKIP:
    {
        skip 'no FIFOs here', 1 if !POSIX::mkfifo("$dir/fifo", 0600);
        $why = qr/it is not a regular file/;
        refuses(run([ 'list', "$dir/fifo" ]), $why, 'list refuses a FIFO');
        refuses(add("$dir/fifo", 'SK', secret()), $why, 'add refuses it');
        refuses(run([ 'remove', "$dir/fifo", 'SK' ]), $why,
            'remove refuses it');
    }
    mkdir "$dir/sub" or die "mkdir: $!";
    refuses(run([ 'list', "$dir/sub" ]), qr/it is not a regular file/,
        'list refuses a directory');
    refuses(add("$dir/sub", 'SK', secret()), qr/it is not a regular file/,
        'add refuses a directory');
    refuses(add("$dir/none/k", 'SK', secret()), qr/No such file/,
        'add makes no directory');
    refuses(add('', 'SK', secret()), qr/./, 'an empty path is refused');
}

# ---- symbolic links ----

{
    my $dir = place();
    mkdir "$dir/real" or die "mkdir: $!";
    mkdir "$dir/links" or die "mkdir: $!";
    spew("$dir/real/k", sample());
    symlink '../real/k', "$dir/links/relative" or die "symlink: $!";
    symlink "$dir/links/relative", "$dir/links/chain" or die "symlink: $!";
    symlink 'nowhere', "$dir/links/dangling" or die "symlink: $!";
    symlink 'loop', "$dir/links/loop" or die "symlink: $!";

    succeeds(add("$dir/links/chain", 'SKlink', secret()), 'add through links');
    ok(-l "$dir/links/chain" && -l "$dir/links/relative", 'links stay');
    ok(-f "$dir/real/k" && !-l "$dir/real/k", 'the target stays a file');
    ok(key_of("$dir/real/k", 'SKlink'), 'the key is in the target');
    like(run([ 'list', "$dir/links/chain" ])->{out}, qr/^SKlink /m,
        'list follows links');
    succeeds(run([ 'remove', "$dir/links/relative", 'SKlink' ]),
        'remove follows links');
    ok(!key_of("$dir/real/k", 'SKlink'), 'the key is gone from the target');
    refuses(add("$dir/links/dangling", 'SK', secret()),
        qr/symbolic link to nothing/, 'a link to nothing is refused');
    ok(!-e "$dir/links/nowhere", 'and its target not made');
    refuses(add("$dir/links/loop", 'SK', secret()),
        qr/too many symbolic links/, 'a loop is refused');
    is(litter("$dir/links") . litter("$dir/real"), '', 'nothing left behind');
}

# ---- several at once ----

{
    my $dir = place();
    my $file = "$dir/k";
    my @owner = $am_root ? ('--owner', 'root') : ();
    my %secret = map { ("SK$_" => secret()) } 1 .. 10;
    my @running = map {
        start([ 'add', $file, $_, 'HS256', @owner ], stdin => $secret{$_})
    } sort keys %secret;
    my @got = map { finish($_) } @running;

    is(join(' ', map { $_->{status} } @got), '0 ' x 9 . '0',
        'ten adds at once succeed')
        or diag(map { $_->{err} } @got);
    is( scalar(
            grep {
                my $key = key_of($file, $_);
                $key && $key->{k} eq encode_base64url($secret{$_})
            } keys %secret),
        10,
        'none is lost');
    is(scalar name_keys($file), 1, 'one of them made the name key');
    is(scalar keys_of($file), 11, 'and there is no other');

    @running = map {
        (   start([ 'remove', $file, "SK$_" ]),
            start([ 'add', $file, "B$_", 'HS256' ], stdin => secret()))
    } 1 .. 5;
    @got = map { finish($_) } @running;
    is(scalar(grep { $_->{status} ne '0' } @got), 0,
        'adds and removes at once succeed');
    is(
        join(' ', sort grep { !/\Aname-/ } map { $_->{kid} } keys_of($file)),
        'B1 B2 B3 B4 B5 SK10 SK6 SK7 SK8 SK9',
        'each has its effect');

    @running = map {
        start([ 'add', $file, 'same', 'HS256' ], stdin => secret())
    } 1 .. 5;
    @got = map { finish($_) } @running;
    is(join(' ', sort map { $_->{status} } @got), '0 1 1 1 1',
        'of five adds of one key id one wins');
    is(litter($dir), '', 'nothing is left beside the file');
}

# ---- failures half-way ----

{
    my $dir = place();
    my $file = "$dir/k";
    my $before = sample();
    spew($file, $before);

    sysopen my $lock, $dir, O_RDONLY or die "$dir: $!";
    flock $lock, LOCK_EX or die "flock: $!";
    my $run = start([ 'add', $file, 'SK', 'HS256' ], stdin => secret());
    sleep 0.7;
    is(slurp($file), $before, 'add waits for the lock');
    flock $lock, LOCK_UN;
    succeeds(finish($run), 'and goes on when it is free');
    ok(key_of($file, 'SK'), 'with its work');

    $before = slurp($file);
    for my $signal (qw(INT TERM HUP))
    {
        flock $lock, LOCK_EX or die "flock: $!";
        $run = start([ 'remove', $file, 'SK' ]);
        sleep 0.5;
        kill $signal, $run->{pid};
        my $number = POSIX->can("SIG$signal")->();
        is(finish($run)->{status}, "signal $number", "SIG$signal ends it");
        flock $lock, LOCK_UN;
        is(slurp($file), $before, 'the keyring is as it was');
        is(litter($dir), '', 'nothing is left behind');
    }

    flock $lock, LOCK_EX or die "flock: $!";
    $run = start([ 'remove', $file, 'SK' ], ignoring => 'HUP');
    sleep 0.5;
    kill 'HUP', $run->{pid};
    flock $lock, LOCK_UN;
    succeeds(finish($run), 'a signal that nohup ignores stays ignored');

    # Wherever a signal hits, the file is whole: at ten moments, then ten
    # times as soon as the new file is seen.
    my $whole = 0;
    my $left = '';
    my $had = keys_of($file);
    for my $i (1 .. 20)
    {
        $run = start([ 'add', $file, "S$i", 'HS256' ], stdin => secret());
        if ($i <= 10)
        {
            sleep 0.02 * $i;
        }
        else
        {
            my $until = time + 2;
            1 while litter($dir) eq '' && time < $until
                && !key_seen($file, "S$i");
        }
        kill 'TERM', $run->{pid};
        finish($run);
        my @keys = eval { keys_of($file) };
        $whole++ if @keys == $had || @keys == $had + 1;
        $had = @keys;
        $left .= litter($dir);
    }
    is($whole, 20, 'a signal at any time leaves a whole keyring');
    is($left, '', 'and nothing beside it');

    # The limit lets messages through and is too low for the keyring.
    my $long = 'n' x 8192;
    $before = "{\"keys\":[],\"note\":\"$long\"}";
    spew($file, $before);
    my $got = run(
        [ 'add', $file, 'full', 'HS256' ],
        stdin   => secret(),
        through => [ '/bin/sh', '-c', 'ulimit -f 4 && exec "$@"', 'sh' ]);
    refuses($got, qr/could not write keyring/,
        'a file that cannot be written is told of');
    is(slurp($file), $before, 'the old one is in force');
    is(litter($dir), '', 'the new one is gone');
}

SKIP:
{
    skip 'an ordinary user is needed to be refused by a directory', 1
        if $am_root && !$can_drop;
    my $dir = place();
    my $file = "$dir/k";
    my @as = $am_root ? (as => [ @nobody[ 2, 3 ] ]) : ();
    my $before = sample();

    spew($file, $before);
    if ($am_root)
    {
        chown @nobody[ 2, 3 ], $dir, $file or die "chown: $!";
    }
    chmod 0555, $dir or die "chmod: $!";
    my $got = run([ 'add', $file, 'SK', 'HS256' ], stdin => secret(), @as);
    refuses($got, qr/could not write keyring/,
        'a directory that cannot be written to is told of');
    is(slurp($file), $before, 'the keyring is as it was');
    refuses(run([ 'remove', $file, 'SKold' ], @as),
        qr/could not write keyring/, 'for remove too');
    is(slurp($file), $before, 'the keyring is as it was');
    succeeds(run([ 'list', $file ], @as), 'list needs no right to write');

    chmod 0755, $dir or die "chmod: $!";
    succeeds(run([ 'add', $file, 'SK', 'HS256' ], stdin => secret(), @as),
        'with the right to write it works');
    chmod 0000, $file or die "chmod: $!";
    refuses(run([ 'list', $file ], @as), qr/Permission denied/,
        'a file that cannot be read is told of');
    refuses(run([ 'add', $file, 'S', 'HS256' ], stdin => secret(), @as),
        qr/Permission denied/, 'and not taken for an absent one');
}

# ---- owner and mode ----

SKIP:
{
    skip 'an ordinary user is needed', 1 if $am_root && !$can_drop;
    my $dir = place();
    my $file = "$dir/k";
    my ($uid, $gid) = $am_root ? @nobody[ 2, 3 ] : ($>, $) + 0);
    my @as = $am_root ? (as => [ $uid, $gid ]) : ();
    my $own = sprintf '%d:%d 0600', $uid, $gid;

    chown $uid, $gid, $dir or die "chown: $!" if $am_root;
    succeeds(run([ 'add', $file, 'SK', 'HS256' ], stdin => secret(), @as),
        'an ordinary user makes a keyring');
    is(access_of($file), $own, 'it is their own, mode 0600');
    chmod 0644, $file or die "chmod: $!";
    succeeds(run([ 'remove', $file, 'SK' ], @as), 'and changes it');
    is(access_of($file), $own, 'it is closed to others again');

    my $before = slurp($file);
    refuses(
        run([ 'add', $file, 'SK', 'HS256', '--owner', 'root' ],
            stdin => secret(), @as),
        qr/only root can give a file away/, '--owner root is refused');
    refuses(
        run([ 'add', "$file.new", 'SK', 'HS256', '--owner', 'root' ],
            stdin => secret(), @as),
        qr/only root can give a file away/, 'for a new file too');
    ok(slurp($file) eq $before && !-e "$file.new", 'and nothing done');
    SKIP:
    {
        my $name = getpwuid $uid;
        skip 'a user without a name', 1 if !defined $name;
        succeeds(
            run([ 'add', $file, 'SK', 'HS256', '--owner', $name ],
                stdin => secret(), @as),
            '--owner oneself is fine');
    }
    SKIP:
    {
        skip 'root is needed to make a file of root', 1 if !$am_root;
        chown 0, 0, $file or die "chown: $!";
        chmod 0644, $file or die "chmod: $!";
        refuses(run([ 'add', $file, 'S', 'HS256' ], stdin => secret(), @as),
            qr/it belongs to another user/, 'a file of root is refused');
    }
}

SKIP:
{
    skip 'root is needed to give files away', 1 if !$am_root;
    skip 'user nobody is needed to give files to', 1 if !@nobody;
    my $dir = place();
    my $theirs = sprintf '%d:%d 0600', @nobody[ 2, 3 ];
    my @server = getpwnam 'postgres';

    chown 0, 0, $dir or die "chown: $!";
    my $got = add("$dir/default", 'SK', secret());
    if (@server)
    {
        is(access_of("$dir/default"), sprintf('%d:%d 0600', @server[ 2, 3 ]),
            'in a directory of root a new file is for postgres');
    }
    else
    {
        refuses($got, qr/no user "postgres"\nHINT: .*--owner/,
            'without a user postgres the owner is asked for');
    }
    succeeds(add("$dir/given", 'SK', secret(), '--owner', 'nobody'),
        '--owner');
    is(access_of("$dir/given"), $theirs, 'gives a new file away');
    refuses(add("$dir/none", 'SK', secret(), '--owner', 'no such user'),
        qr/--owner: there is no such user/, 'an unknown owner is refused');
    ok(!-e "$dir/none", 'and no file made');

    my $home = place();
    chown @nobody[ 2, 3 ], $home or die "chown: $!";
    succeeds(add("$home/k", 'SK', secret()), 'in the directory of a user');
    is(access_of("$home/k"), $theirs, 'a new file is theirs');

    my @rules = (
        [ 'a file of a user keeps owner and group', 4242, 4343, 0600,
            '4242:4343 0600' ],
        [ 'and loses bits for others', 4242, 4343, 0664, '4242:4343 0600' ],
        [ 'a file of root keeps mode 0640', 0, 4343, 0640, '0:4343 0640' ],
        [ 'and 0600', 0, 0, 0600, '0:0 0600' ],
        [ 'and 0400', 0, 0, 0400, '0:0 0400' ],
        [ 'but no more than 0640', 0, 4343, 0666, '0:4343 0640' ],
        [ 'and no odd bits', 0, 4343, 07777, '0:4343 0640' ],
    );
    for my $rule (@rules)
    {
        my ($what, $uid, $gid, $mode, $want) = @$rule;
        spew("$dir/k", sample());
        chown $uid, $gid, "$dir/k" or die "chown: $!";
        chmod $mode, "$dir/k" or die "chmod: $!";
        add("$dir/k", 'SK', secret());
        is(access_of("$dir/k"), $want, $what);
    }
    is(scalar keys_of("$dir/k"), 3, 'the key was added');
    succeeds(add("$dir/k", 'S2', secret(), '--owner', 'root'),
        '--owner of the same user');
    is(access_of("$dir/k"), '0:4343 0640', 'changes nothing');
    succeeds(add("$dir/k", 'S3', secret(), '--owner', 'nobody'),
        '--owner of another');
    is(access_of("$dir/k"), $theirs, 'gives the file away, closed to others');
    is(litter($dir) . litter($home), '', 'nothing left behind');
}

# ---- algorithms of secrets ----

{
    my $file = place() . '/k';
    my %bytes = (HS256 => 32, HS384 => 48, HS512 => 64);

    spew($file, sample());
    for my $alg (sort keys %bytes)
    {
        my $size = $bytes{$alg};
        my $secret = secret($size);
        succeeds(
            run([ 'add', $file, "a$alg", $alg ], stdin => "$secret\n"),
            "$alg takes $size bytes");
        is_deeply(
            key_of($file, "a$alg"),
            {
                kty => 'oct', kid => "a$alg", alg => $alg,
                k => encode_base64url($secret)
            },
            '... as they are');
        refuses(
            run([ 'add', $file, 'x', $alg ], stdin => secret($size - 1)),
            qr/it is shorter than $size bytes/, '... and not one less');

        my $got = run([ 'generate', $file, "g$alg", $alg ]);
        succeeds($got, "generate $alg");
        is($got->{out} . $got->{err}, '', '... without a word');
        is(members_of($file, "g$alg"), 'alg k kid kty', '... makes a JWK');
        my $made = key_of($file, "g$alg");
        is("$made->{kty} $made->{alg}", "oct $alg", '... of its type');
        is(length decode_base64url($made->{k}),
            $size, '... as large as the hash');
        run([ 'generate', $file, "h$alg", $alg ]);
        isnt(key_of($file, "h$alg")->{k}, $made->{k}, '... never the same');

        succeeds(run([ 'generate', $file, "$_$alg", $alg, '--use', $_ ]),
            "$alg makes a key for $_")
            for qw(webhook turn);
        is(key_of($file, "turn$alg")->{vidtoken_use}, 'turn', '... as asked');
        refuses(run([ 'generate', $file, 'x', $alg, '--bits', '2048' ]),
            qr/keys for $alg have one size/, '... but for no --bits');
        refuses(
            run([ 'add', $file, 'x', $alg, '--pem-file', $command ]),
            qr/$alg takes a secret\nHINT: .* ES256, EdDSA, RS256\./,
            '... and no --pem-file');
    }

    my $empty = place() . '/k';
    my @owner = $am_root ? ('--owner', 'root') : ();
    my $got =
        run([ 'generate', $empty, 'SK1', 'HS512', '--provider', 'jitsi',
            @owner ]);
    succeeds($got, 'generate makes a keyring');
    like($got->{err}, qr/\A\S+: made name key "name-.*\nHINT: .*\n\z/,
        'with a name key');
    is(key_of($empty, 'SK1')->{provider}, 'jitsi', 'generate --provider');
    is(access_of($empty) =~ s/.* //r, '0600', 'mode 0600');

    my $before = slurp($empty);
    my ($name) = name_keys($empty);
    refuses(run([ 'generate', $empty, 'SK1', 'HS512' ]),
        qr/"SK1".*has a key with this id/, 'a taken id is refused');
    refuses(run([ 'generate', $empty, 'x', 'HS256', '--use', 'name' ]),
        qr/the keyring has one/, 'a second name key is refused');
    refuses(run([ 'generate', $empty, $name->{kid}, 'HS256', '--replace' ]),
        qr/it is the name key/, 'so is a new one in its place');
    refuses(run([ 'generate', $empty, "a\nb", 'HS256' ]),
        qr/control/, 'so is a bad key id');
    refuses(run([ 'generate', $empty, 'x', 'none' ]),
        qr/it is not known/, 'so is an unknown algorithm');
    is(slurp($empty), $before, 'nothing was done');
    succeeds(run([ 'generate', $empty, 'SK1', 'HS384', '--replace' ]),
        'generate --replace');
    is(members_of($empty, 'SK1'), 'alg k kid kty provider',
        'keeps the provider');
    succeeds(
        run([ 'generate', $empty, $name->{kid}, 'HS256', '--replace',
            '--force' ]),
        'generate --replace --force');
    isnt((name_keys($empty))[0]{k}, $name->{k}, 'is a new name key');
}

# ---- HMAC with SHA-1, for webhooks ----

{
    my $dir = place();
    my $file = "$dir/k";
    my $token = secret(32);
    my $add = sub {
        my ($kid, $secret, @options) = @_;
        return run([ 'add', $file, $kid, 'HS1', @options ],
            stdin => $secret);
    };
    my @webhook = qw(--use webhook);

    spew($file, sample());
    succeeds($add->('AC1', "$token\n", @webhook, '--provider', 'twilio'),
        'HS1 takes an AuthToken for webhooks');
    is_deeply(
        key_of($file, 'AC1'),
        {
            kty => 'oct', kid => 'AC1', alg => 'HS1',
            k => encode_base64url($token), vidtoken_use => 'webhook',
            provider => 'twilio'
        },
        '... as it is');
    succeeds($add->('AC20', secret(20), @webhook), '... of 20 bytes');
    my $got = run([ 'list', $file ]);
    like($got->{out}, qr/^AC1 +HS1 +webhook +twilio +secret +-$/m,
        '... and lists it as a secret');

    my $before = slurp($file);
    my $short = qr/shorter than 20 bytes\nHINT: .*AuthToken has 32/;
    my $alone = qr/SHA-1 is for webhooks alone\nHINT: --use webhook/;
    my $made = qr/the provider makes it.*\nHINT: .*AuthToken is read from/;
    my $input = { stdin => "$token\n" };
    refuses($add->('x', secret(19), @webhook), $short, 'not of 19');
    refuses($add->('x', '', @$_), $alone, "HS1 is refused with @$_")
        for [], [qw(--use token)], [qw(--use name)], [qw(--use turn)],
        [qw(--use name --replace)];
    refuses($add->('SKold', $token, '--replace'), $alone,
        'in place of a token key too');
    refuses($add->('name-old', $token, '--replace', '--force'), $alone,
        'and of the name key');
    refuses($add->('x', $token, @webhook, '--pem-file', $command),
        qr/HS1 takes a secret/, 'an AuthToken is in no PEM file');
    refuses(run([ 'generate', $file, 'x', 'HS1', @webhook ]), $made,
        'nobody but the provider makes an AuthToken');
    refuses(run([ 'generate', $file, 'x', 'HS1' ]), $alone,
        'for a token key there is none to make');
    refuses(run([ 'generate', $file, 'AC1', 'HS1', '--replace' ]), $made,
        'nor in place of another');
    refuses(run([ 'rotate', $file, 'AC1', 'AC2', '--generate' ]), $made,
        'rotate makes none either');
    refuses(run([ 'rotate', $file, 'AC1', 'AC2' ], stdin => secret(19)),
        $short, 'and takes none of 19 bytes');
    refuses(run([ 'rotate', $file, 'AC1', 'AC2', '--pem' ], %$input),
        qr/--pem: HS1 takes a secret/, 'which is not PEM');
    refuses(
        run([ 'add', $file, 'AC1', 'HS256', '--replace', '--use', 'turn' ],
            stdin => secret(31)),
        qr/shorter than 32 bytes/, 'another algorithm asks for more');
    is(slurp($file), $before, 'nothing was done');

    my $next = secret(32);
    succeeds(run([ 'rotate', $file, 'AC1', 'AC2' ], stdin => "$next\n"),
        'rotate takes the next AuthToken');
    is_deeply(
        key_of($file, 'AC2'),
        { %{ key_of($file, 'AC1') }, kid => 'AC2',
            k => encode_base64url($next) },
        '... for the same use and provider');
    succeeds($add->('AC2', secret(32), '--replace'),
        'a webhook key is replaced by one');
    is(key_of($file, 'AC2')->{vidtoken_use}, 'webhook',
        '... without saying its use again');
    succeeds(run([ 'generate', $file, 'hook', 'HS256', @webhook ]),
        'a webhook key of another algorithm');
    succeeds($add->('hook', secret(32), '--replace'), '... may become HS1');
    is(litter($dir), '', 'nothing is left beside the file');
}

# ---- PEM ----

# What openssl is told for each algorithm, and the members of its keys.
my %asymmetric = (
    RS256 => [
        '-algorithm RSA -pkeyopt rsa_keygen_bits:2048', 'RSA',
        'alg e kid kty n', 'alg d dp dq e kid kty n p q qi'
    ],
    ES256 => [
        '-algorithm EC -pkeyopt ec_paramgen_curve:P-256', 'EC',
        'alg crv kid kty x y', 'alg crv d kid kty x y'
    ],
    EdDSA => [
        '-algorithm ED25519', 'OKP', 'alg crv kid kty x',
        'alg crv d kid kty x'
    ],
);

# One key for each, for the tests that need any.
my %pem;
my %other_pem;
if ($has_openssl)
{
    $pem{$_} = new_pem($asymmetric{$_}[0]) for sort keys %asymmetric;
    $other_pem{$_} = new_pem($asymmetric{$_}[0]) for sort keys %asymmetric;
}

# Empty for Ed25519, which has no such form.
sub traditional_pem
{
    my ($pem) = @_;
    my $traditional = openssl($pem, 'pkey -traditional');
    push @canaries, grep { /\A[^-]{30,}\z/ } split /\n/, $traditional;
    return $traditional;
}

# The numbers of a key in the file are those that openssl shows.
sub same_numbers
{
    my ($file, $kid, $pem, $what) = @_;
    my $key = key_of($file, $kid) // {};
    my $number = numbers_of($pem);
    my @wrong;

    if (($key->{kty} // '') ne 'RSA')
    {
        # A point, or the one coordinate.
        my $pub = delete $number->{pub} // '';
        my $got = hex_of($key->{x}) . hex_of($key->{y});
        push @wrong, 'x y' if $pub eq '' || $pub !~ /\A(?:04)?$got\z/;
        push @wrong, 'length'
            if grep { length hex_of($key->{$_}) != 64 }
            grep { $key->{$_} } qw(x y d);
    }
    else
    {
        push @wrong, 'leading zeros'
            if grep { hex_of($key->{$_}) =~ /\A00/ } keys %$number;
    }
    push @wrong, 'no numbers' if !%$number;
    for my $name (keys %$number)
    {
        my @two = map { s/\A0+//r } hex_of($key->{$name}), $number->{$name};
        push @wrong, $name if $two[0] ne $two[1] || $two[0] eq '';
    }
    is("@wrong", '', $what);
}

SKIP:
{
    skip 'no openssl', 1 if !$has_openssl;
    my $dir = place();
    my $file = "$dir/k";
    my $n = 0;

    spew($file, sample());
    for my $alg (sort keys %asymmetric)
    {
        my (undef, $kty, $public, $private) = @{ $asymmetric{$alg} };
        my $pem = $pem{$alg};
        my $got = add_pem($file, $alg, $alg, $pem, '--provider', 'jwt');

        succeeds($got, "$alg: a private key");
        is($got->{out} . $got->{err}, '', '... without a word');
        is(members_of($file, $alg), join(' ', sort 'provider', split / /,
            $private), '... is a private JWK');
        my $want = key_of($file, $alg);
        is("$want->{kty} $want->{alg}", "$kty $alg", '... of its type');
        same_numbers($file, $alg, $pem, '... with the numbers of openssl');

        my @forms = (
            [ 'the traditional form', traditional_pem($pem) ],
            [ 'CR LF', $pem =~ s/\n/\r\n/gr ],
            [ 'no last newline', $pem =~ s/\n\z//r ],
            [ 'text around it', "Key of canary\n\n${pem}bye\n" ],
            [ 'blanks after the dashes', $pem =~ s/-----\n/----- \t\n/gr ],
        );
        for my $form (@forms)
        {
            my $kid = 'form' . ++$n;
            next if $form->[1] eq '';
            succeeds(add_pem($file, $kid, $alg, $form->[1]),
                "$alg: $form->[0]");
            is_deeply(
                { %{ key_of($file, $kid) }, kid => $alg, provider => 'jwt' },
                $want, '... is the same key');
        }

        succeeds(add_pem($file, "$alg-public", $alg, public_pem($pem)),
            "$alg: a public key");
        is(members_of($file, "$alg-public"),
            $public, '... is a JWK without private members');
        my $half = key_of($file, "$alg-public");
        is_deeply([ map { $half->{$_} } grep { $_ ne 'kid' } split / /,
                $public ],
            [ map { $want->{$_} } grep { $_ ne 'kid' } split / /, $public ],
            '... of the same key');

        for my $other (grep { $_ ne $alg } sort keys %asymmetric)
        {
            my $why = qr/it is not an .*\nHINT: $alg takes no other/;
            refuses(add_pem($file, 'x', $alg, $pem{$other}),
                $why, "$alg refuses a key for $other");
            refuses(add_pem($file, 'x', $alg, public_pem($pem{$other})),
                $why, '... and a public one');
        }
        refuses(add_pem($file, 'x', $alg, $pem, '--use', $_),
            qr/a $_ key is a secret\nHINT: .*HS256, HS384, HS512\./,
            "$alg refuses --use $_")
            for qw(name turn);
        succeeds(add_pem($file, "$alg-webhook", $alg, public_pem($pem),
            '--use', 'webhook'), "$alg takes --use webhook");
    }

    # Points that are written in another way.
    for my $form (qw(compressed hybrid))
    {
        my $odd = openssl($pem{ES256}, "ec -conv_form $form");
        push @canaries, grep { /\A[^-]{30,}\z/ } split /\n/, $odd;
        succeeds(
            add_pem($file, "ec-$form", 'ES256', $odd, '--provider', 'jwt'),
            "a $form point");
        is_deeply({ %{ key_of($file, "ec-$form") }, kid => 'ES256' },
            key_of($file, 'ES256'), '... is spelt out');
        my $half = openssl($odd, "ec -pubout -conv_form $form");
        succeeds(add_pem($file, "ec-$form-public", 'ES256', $half),
            '... in a public key too');
        is(key_of($file, "ec-$form-public")->{y},
            key_of($file, 'ES256')->{y}, '... with its y');
    }
    my $curve_first = openssl('', 'ecparam -name prime256v1 -genkey');
    push @canaries, grep { /\A[^-]{30,}\z/ } split /\n/, $curve_first;
    like($curve_first, qr/EC PARAMETERS.*EC PRIVATE KEY/s,
        'openssl ecparam writes two blocks');
    succeeds(add_pem($file, 'ecparam', 'ES256', $curve_first),
        'the curve before the key is fine');
    same_numbers($file, 'ecparam', $curve_first, 'and the key is read');

    # Private keys whose d, x or y begins with a zero byte.
    my %short = split ' ', <<'END';
d 00fb0b2560f8fb74a1647092048343734979334b3644f65dff1ec52543f6c04d
x 6b6bbf61a1362e8f46860a5ab458915145f55fc748505a107063f93bfcc80b6f
y 0fc78095cd1c4fa3f31ece1c6963b8c9e7c26f86c334acee6cc35fec72f2d39a
END
    for my $name (sort keys %short)
    {
        my $pem = ec_pem(pack 'H*', $short{$name});
        succeeds(add_pem($file, "short-$name", 'ES256', $pem),
            "a key whose $name begins with zeros");
        same_numbers($file, "short-$name", $pem, '... has its numbers');
        my $key = key_of($file, "short-$name");
        like(hex_of($key->{$name}), qr/\A00/, '... and the zeros');
        is(length $key->{$name}, 43, '... which are written');
        is(hex_of($key->{d}), $short{$name}, '... beside the right d');
    }

    # RSA, to the bit and to the exponent.
    my $modulus = odd_number(2048);
    my @taken = (
        [ '2048 bits', $modulus, "\3" ],
        [ 'an exponent of 65537', $modulus, "\1\0\1" ],
        [ 'an exponent of 64 bits', $modulus, "\xff" x 8 ],
        [ '2049 bits', odd_number(2049), "\3" ],
        [ '8192 bits', odd_number(8192), "\1\0\1" ],
    );
    for my $case (@taken)
    {
        my ($what, @number) = @$case;
        my $kid = 'rsa' . ++$n;
        succeeds(
            add_pem($file, $kid, 'RS256', rsa_public_pem(@number)),
            "RSA: $what");
        is_deeply(
            [ map { hex_of(key_of($file, $kid)->{$_}) } qw(n e) ],
            [ map { unpack 'H*', $_ } @number ],
            '... are the same numbers');
    }

    # ---- keys that are refused ----

    my $size = qr/modulus is not an odd number of 2048 to 8192 bits/;
    my $exponent = qr/exponent is even, 1, or longer than 64 bits/;
    my $type = qr/it is not an /;
    my $part = qr/a part of it is missing or damaged/;
    my $unread = qr/openssl cannot read it/;
    my $several = qr/it holds more than one key or certificate/;
    my $encrypted = qr/it is encrypted\nHINT: .* passphrase: "openssl pkey/;
    my $kind = qr/it is not a key of a kind known here\nHINT: .*PRIVATE KEY/;
    my $rsa = $pem{RS256};
    my $ec = $pem{ES256};
    my $genpkey = 'genpkey -algorithm';
    my $lines = () = $rsa =~ /\n/g;
    my ($body) = $rsa =~ /-----\n(.*?)-----/s;
    my @refused = (
        [ 'RSA of 1024 bits', 'RS256', $size,
            new_pem('-algorithm RSA -pkeyopt rsa_keygen_bits:1024') ],
        [ 'RSA of 2047 bits', 'RS256', $size,
            rsa_public_pem(odd_number(2047), "\3") ],
        [ 'RSA of 8193 bits', 'RS256', $size,
            rsa_public_pem(odd_number(8193), "\3") ],
        [ 'an even modulus', 'RS256', $size,
            rsa_public_pem(odd_number(2047) . "\0", "\3") ],
        [ 'an exponent of 1', 'RS256', $exponent,
            rsa_public_pem($modulus, "\1") ],
        [ 'an exponent of 2', 'RS256', $exponent,
            rsa_public_pem($modulus, "\2") ],
        [ 'an even exponent', 'RS256', $exponent,
            rsa_public_pem($modulus, "\1\0\0") ],
        [ 'an exponent of 65 bits', 'RS256', $exponent,
            rsa_public_pem($modulus, "\1" . "\0" x 7 . "\1") ],
        [ 'an exponent of 0', 'RS256', qr/exponent|read|form/,
            rsa_public_pem($modulus, "\0") ],
        [ 'RSA-PSS', 'RS256', $type,
            new_pem('-algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048') ],
        [ 'P-384', 'ES256', $type,
            new_pem('-algorithm EC -pkeyopt ec_paramgen_curve:P-384') ],
        [ 'P-521', 'ES256', $type,
            new_pem('-algorithm EC -pkeyopt ec_paramgen_curve:P-521') ],
        [ 'secp256k1', 'ES256', $type,
            new_pem('-algorithm EC -pkeyopt ec_paramgen_curve:secp256k1') ],
        [ 'a curve without its name', 'ES256', $type,
            new_pem('-algorithm EC -pkeyopt ec_paramgen_curve:P-256'
                    . ' -pkeyopt ec_param_enc:explicit') ],
        [ 'X25519', 'EdDSA', $type, new_pem('-algorithm X25519') ],
        [ 'Ed448', 'EdDSA', $type, new_pem('-algorithm ED448') ],
        [ 'a point that is not on the curve', 'ES256', $unread,
            pem_of('PUBLIC KEY', der(0x30,
                der(0x30, pack 'H*', '06072a8648ce3d020106082a8648ce3d030107'),
                der(3, "\0\4", "\1" x 64))) ],
        (map { [ "a point of small order, $_", 'EdDSA',
                    qr/its point has a small order/, ed25519_pem($_) ] }
            '00' x 32, '00' x 31 . '80', '01' . '00' x 31,
            '26e8958fc2b227b045c3f489f2ef98f0'
                . 'd5dfac05d3c63339b13802886d53fc05',
            'c7176a703d4dd84fba3c0b760d10670f'
                . '2a2053fa2c39ccc64ec7fd7792ac03fa',
            map { $_ . 'ff' x 30 . '7f' } qw(ec ed ee)),
        [ 'an encrypted key', 'RS256', $encrypted,
            openssl($rsa, 'pkey -aes128 -passout pass:canary') ],
        [ 'a traditional encrypted key', 'ES256', $encrypted,
            openssl($ec, 'pkey -traditional -aes128 -passout pass:canary') ],
        [ 'an empty passphrase', 'EdDSA', $encrypted,
            openssl($pem{EdDSA}, 'pkey -aes128 -passout pass:')
                || pem_of('ENCRYPTED PRIVATE KEY', 'x' x 99) ],
        [ 'two keys', 'RS256', $several, $rsa . $other_pem{RS256} ],
        [ 'one key twice', 'ES256', $several, $ec . $ec ],
        [ 'a private and its public key', 'ES256', $several,
            $ec . public_pem($ec) ],
        [ 'keys of two types', 'EdDSA', $several, $pem{EdDSA} . $rsa ],
        [ 'a certificate', 'RS256', $kind, pem_of('CERTIFICATE', 'x' x 99) ],
        [ 'a key and a certificate', 'RS256', $several,
            $rsa . pem_of('CERTIFICATE', 'x' x 99) ],
        [ 'a key of OpenSSH', 'EdDSA', $kind,
            pem_of('OPENSSH PRIVATE KEY', 'x' x 99) ],
        [ 'a curve alone', 'ES256', $kind,
            pem_of('EC PARAMETERS', 'x' x 10) ],
        [ 'nothing', 'RS256', qr/standard input is empty/, '' ],
        [ 'a bare newline', 'RS256', qr/it is not PEM/, "\n" ],
        [ 'a secret', 'EdDSA', qr/it is not PEM/, secret() ],
        [ 'DER', 'EdDSA', qr/it is not PEM/,
            openssl($pem{EdDSA}, 'pkey -outform DER') ],
        [ 'a JWK', 'EdDSA', qr/it is not PEM/,
            '{"kty":"OKP","crv":"Ed25519","x":"canary"}' ],
        [ 'newlines spelt out', 'RS256', qr/it is not|missing/,
            $rsa =~ s/\n/\\n/gr ],
        [ 'an indented key', 'RS256', qr/it is not PEM/,
            $rsa =~ s/^/  /gmr ],
        [ 'no last line', 'RS256', $part, $rsa =~ s/-----END.*//sr ],
        [ 'half of it', 'RS256', $part, substr($rsa, 0, length($rsa) / 2) ],
        [ 'half a key and one more', 'RS256', qr/missing|more than one/,
            substr($rsa, 0, length($rsa) / 2) . "\n" . $other_pem{RS256} ],
        [ 'a line less', 'RS256', $unread,
            join '', (split /(?<=\n)/, $rsa)[ 0 .. 3, 5 .. $lines - 1 ] ],
        [ 'letters that are not base64', 'RS256', $unread,
            $rsa =~ s/\n..../\n!!!!/r ],
        [ 'an empty block', 'RS256', $unread, pem_of('PRIVATE KEY', '') ],
        [ 'another name in its last line', 'RS256', $part,
            $rsa =~ s/END PRIVATE/END PUBLIC/r ],
        [ 'a private key named public', 'RS256', $unread,
            $rsa =~ s/PRIVATE/PUBLIC/gr ],
        [ 'a public key named private', 'RS256', $unread,
            public_pem($rsa) =~ s/PUBLIC/PRIVATE/gr ],
        [ 'a large file', 'RS256', qr/it is too long/,
            $rsa . "x\n" x 40_000 ],
    );
    my $before = slurp($file);
    for my $case (@refused)
    {
        my ($what, $alg, $why, $bytes) = @$case;
        push @canaries, grep { /\A[^-]{30,}\z/ } split /\n/, $bytes
            if $bytes !~ /BEGIN PUBLIC|CERTIFICATE/;
        refuses(add_pem($file, 'x', $alg, $bytes), $why,
            "$what: $alg refuses");
    }

    # Numbers that do not belong together, and more than two primes.
    my $numbers = decode_base64url(
        traditional_pem($rsa) =~ s/-----[^-]*-----|\s//gr =~ tr{+/}{-_}r);
    substr($numbers, -20, 1) ^= "\1";
    refuses(
        add_pem($file, 'x', 'RS256', pem_of('RSA PRIVATE KEY', $numbers)),
        qr/its numbers do not belong together/, 'RSA: a wrong qi is refused');
    my ($x, $y) =
        map { decode_base64url(key_of($file, 'ES256')->{$_}) } qw(x y);
    my $stranger = key_of($file, 'ecparam');
    refuses(
        add_pem($file, 'x', 'ES256',
            pem_of('EC PRIVATE KEY',
                der(0x30, der(2, "\1"),
                    der(4, decode_base64url($stranger->{d})),
                    der(0xa0, pack 'H*', '06082a8648ce3d030107'),
                    der(0xa1, der(3, "\0\4$x$y"))))),
        qr/its numbers do not belong together/,
        'EC: a point of another key is refused');
    my $three = openssl('', 'genrsa -primes 3 2048');
    SKIP:
    {
        skip 'openssl makes no RSA keys of three primes', 1
            if $three !~ /PRIVATE KEY/;
        push @canaries, grep { /\A[^-]{30,}\z/ } split /\n/, $three;
        refuses(add_pem($file, 'x', 'RS256', $three),
            qr/form that is not known here/, 'RSA: three primes are refused');
    }
    refuses(
        run([ 'add', $file, 'x', 'EdDSA' ], no_stdin => 1),
        qr/standard input is empty|could not read/,
        'a closed standard input is refused');
    is(slurp($file), $before, 'refused keys change nothing');
    is(litter($dir), '', 'and leave nothing behind');

    # ---- replacing ----

    refuses(add_pem($file, 'RS256', 'RS256', $other_pem{RS256}),
        qr/has a key with this id/, 'a taken id is refused');
    succeeds(add_pem($file, 'RS256', 'RS256', $other_pem{RS256}, '--replace'),
        'an RSA key in place of one');
    same_numbers($file, 'RS256', $other_pem{RS256}, 'it is the new one');
    is(key_of($file, 'RS256')->{provider}, 'jwt', 'of the old provider');
    # What a private key was there for would make its public part useless.
    spew($file, slurp($file) =~
            s/("kid": "RS256")/"key_ops": ["sign"], $1/r);
    is_deeply(key_of($file, 'RS256')->{key_ops}, ['sign'],
        'a key that was restricted by hand');
    succeeds(add_pem($file, 'RS256', 'RS256', public_pem($rsa), '--replace'),
        'a public key in place of it');
    is(members_of($file, 'RS256'), 'alg e kid kty n provider',
        'nothing private stays');
    succeeds(
        add_pem($file, 'ES256-webhook', 'EdDSA', $pem{EdDSA}, '--replace'),
        'a key of another type in place of a webhook key');
    is( members_of($file, 'ES256-webhook'),
        'alg crv d kid kty vidtoken_use x',
        'only its use stays');
    succeeds(
        run([ 'add', $file, 'ES256-webhook', 'HS256', '--replace' ],
            stdin => secret()),
        'a secret in place of that');
    is( members_of($file, 'ES256-webhook'), 'alg k kid kty vidtoken_use',
        'it is for webhooks still');

    run([ 'generate', $file, 'turn', 'HS256', '--use', 'turn' ]);
    $before = slurp($file);
    refuses(add_pem($file, 'turn', 'EdDSA', $pem{EdDSA}, '--replace'),
        qr/a turn key is a secret/,
        'an asymmetric key in place of a turn key is refused');
    refuses(
        add_pem($file, 'name-old', 'EdDSA', $pem{EdDSA}, '--replace',
            '--force'),
        qr/a name key is a secret/, 'and in place of the name key');
    is(slurp($file), $before, 'nothing was done');
    succeeds(
        add_pem($file, 'turn', 'EdDSA', $pem{EdDSA}, '--replace', '--use',
            'token'),
        'with a use that it can have it is fine');
    is(members_of($file, 'turn'), 'alg crv d kid kty x', 'and a token key');

    # A certificate of the old key is none of the new one.
    my $set = JSON::PP->new->utf8->decode(slurp($file));
    my ($noted) = grep { $_->{kid} eq 'EdDSA' } @{ $set->{keys} };
    @$noted{'note', 'x5c', 'x5t#S256'} = ('mine', ['MII'], 'abc');
    spew($file, JSON::PP->new->utf8->encode($set));
    succeeds(
        add_pem($file, 'EdDSA', 'EdDSA', $other_pem{EdDSA}, '--replace'),
        'replace a key with a certificate');
    is(members_of($file, 'EdDSA'), 'alg crv d kid kty note provider x',
        'the note stays, the certificate goes');

    # ---- another reader ----

    SKIP:
    {
        my ($python) =
            grep { `$_ -c 'import jwt, cryptography; print(1)' 2>&1` eq "1\n" }
            grep { defined } $ENV{PYTHON}, 'python3', '/usr/bin/python3';
        skip 'no Python with jwt and cryptography', 1 if !$python;
        spew("$dir/read.py", <<'END');
import json, sys
import jwt
from jwt.algorithms import RSAAlgorithm, ECAlgorithm, OKPAlgorithm

readers = {'RSA': RSAAlgorithm, 'EC': ECAlgorithm, 'OKP': OKPAlgorithm}
public = {'RSA': 'n e', 'EC': 'crv x y', 'OKP': 'crv x'}
for key in json.load(open(sys.argv[1]))['keys']:
    if key['kty'] not in readers or 'd' not in key:
        continue
    reader = readers[key['kty']]
    half = {name: key[name] for name in public[key['kty']].split()}
    half['kty'] = key['kty']
    token = jwt.encode({'sub': 'x'}, reader.from_jwk(json.dumps(key)),
                       key['alg'])
    claims = jwt.decode(token, reader.from_jwk(json.dumps(half)),
                        [key['alg']])
    print(claims['sub'], key['alg'])
END
        run([ 'generate', $file, "python-$_", $_ ]) for sort keys %asymmetric;
        my @keys = grep { $_->{d} } keys_of($file);
        my @signed = split /\n/, `$python -B $dir/read.py $file`;
        is_deeply(\@signed, [ map { "x $_->{alg}" } @keys ],
            'Python signs with every private key and verifies');
        cmp_ok(scalar @signed, '>', 20, 'which are many');
    }
}

# ---- PEM files ----

SKIP:
{
    skip 'no openssl', 1 if !$has_openssl;
    my $dir = place();
    my $file = "$dir/k";
    my $pem_file = "$dir/key \xc3\xbc.pem";
    my $add = sub {
        my ($path, $alg, @options) = @_;
        return add_pem($file, 'x', $alg // 'ES256', secret(), '--pem-file',
            $path, @options);
    };

    spew($file, sample());
    for my $alg (sort keys %asymmetric)
    {
        spew($pem_file, $pem{$alg});
        my $got = add_pem($file, $alg, $alg, 'canary', '--pem-file',
            $pem_file, '--provider', 'jwt');
        succeeds($got, "$alg: --pem-file");
        is($got->{out} . $got->{err}, '', '... without a word');
        is_deeply(
            key_of($file, $alg),
            {
                kid => $alg, alg => $alg, kty => $asymmetric{$alg}[1],
                pem_file => Encode::decode('UTF-8', $pem_file),
                provider => 'jwt'
            },
            '... names the file and holds nothing of it');
        like(
            run([ 'list', $file ])->{out},
            qr/^$alg +$alg +token +jwt +private +[\w-]{43}$/m,
            '... is listed as if it did');
        spew($pem_file, public_pem($pem{$alg}));
        like(run([ 'list', $file ])->{out},
            qr/^$alg +$alg +token +jwt +public +[\w-]{43}$/m,
            '... whatever the file holds');
        succeeds(
            add_pem($file, "$alg-public", $alg, '', '--pem-file', $pem_file),
            '... and may be a public key');
    }
    spew($pem_file, $pem{ES256});
    my $before = slurp($file);
    refuses($add->($_->[0]), $_->[1], "--pem-file: $_->[2] is refused")
        for [ 'canary.pem', qr/its path is not absolute/, 'a relative path' ],
        [ './canary.pem', qr/its path is not absolute/, 'a path with a dot' ],
        [ '', qr/its path is not absolute/, 'an empty path' ],
        [ "$dir/a\nb", qr/a control character/, 'a control character' ],
        [ "$dir/\xff", qr/not UTF-8/, 'what is not UTF-8' ],
        [ "$dir/" . 'x' x 1024, qr/too long/, 'a long path' ],
        [ "$dir/canary-none", qr/No such file/, 'an absent file' ],
        [ $dir, qr/not a regular file/, 'a directory' ],
        [ '/dev/null', qr/not a regular file/, 'a device' ];
    refuses($add->($pem_file, 'RS256'), qr/it is not an RSA key/,
        '--pem-file: a key of another type is refused');
    refuses($add->($pem_file, 'HS256'), qr/HS256 takes a secret/,
        '--pem-file: a secret is refused');
    refuses($add->($pem_file, 'ES256', '--use', 'turn'),
        qr/a turn key is a secret/, '--pem-file: --use turn is refused');
    my @contents = (
        [ 'an empty file', '', qr/it is not PEM/ ],
        [ 'garbage', 'canary', qr/it is not PEM/ ],
        [ 'two keys', $pem{ES256} x 2, qr/more than one/ ],
        [ 'an encrypted key',
            openssl($pem{ES256}, 'pkey -aes128 -passout pass:canary'),
            qr/it is encrypted/ ],
        [ 'a large file', $pem{ES256} . ' ' x 70_000, qr/it is too long/ ],
        [ 'a huge file', 'x' x 1_100_000, qr/larger than 1 MB/ ],
    );
    for my $case (@contents)
    {
        spew($pem_file, $case->[1]);
        refuses($add->($pem_file), $case->[2],
            "--pem-file: $case->[0] is refused");
    }
    SKIP:
    {
        skip 'no FIFOs here', 1 if !POSIX::mkfifo("$dir/fifo", 0600);
        refuses($add->("$dir/fifo"), qr/not a regular file/,
            '--pem-file: a FIFO is refused');
    }
    is(slurp($file), $before, 'nothing was done');

    # Owner and mode, as they are asked of the keyring.
    spew($pem_file, $pem{ES256});
    my ($uid, $gid) = $am_root ? (4242, 4343) : ($>, $) + 0);
    my $others = qr/its mode gives others too many rights\nHINT: .*0600/;
    if ($am_root)
    {
        chown $uid, $gid, $file, $pem_file or die "chown: $!";
    }
    for my $mode (0640, 0604, 0610, 0777)
    {
        chmod $mode, $pem_file or die "chmod: $!";
        refuses($add->($pem_file), $others,
            sprintf '--pem-file: mode %04o is refused', $mode);
    }
    for my $mode (0400, 0700, 0600)
    {
        chmod $mode, $pem_file or die "chmod: $!";
        succeeds($add->($pem_file, 'ES256', '--replace'),
            sprintf '--pem-file: mode %04o is fine', $mode);
    }
    SKIP:
    {
        skip 'root is needed to give files away', 1 if !$am_root;
        skip 'user nobody is needed to give files to', 1 if !@nobody;
        my @their = @nobody[ 2, 3 ];
        my $foreign = qr/belongs neither to the keyring's owner nor to root/;
        my $unread = qr/the server's user cannot read it/;
        my $root_only = qr/HINT: Give it to root and the keyring's group/;
        my @rules = (

            # keyring's owner and mode, PEM file's owner and mode
            [ @their, 0600, @their, 0600 ],
            [ @their, 0600, @their, 0000, $unread ],
            [ @their, 0600, 4242, 4343, 0600, $foreign ],
            [ @their, 0600, 4242, $their[1], 0640, $foreign ],
            [ @their, 0600, 0, $their[1], 0640 ],
            [ @their, 0600, 0, $their[1], 0440 ],
            [ @their, 0600, 0, $their[1], 0600, $unread ],
            [ @their, 0600, 0, 4343, 0640, $unread ],
            [ @their, 0600, 0, $their[1], 0660, $others ],
            [ @their, 0600, 0, $their[1], 0644, $others ],
            [ 0, 4343, 0640, 0, 4343, 0640 ],
            [ 0, 4343, 0640, 0, 4343, 0600, $unread ],
            [ 0, 4343, 0640, 0, 4344, 0640, $unread ],
            [ 0, 4343, 0640, 0, 4343, 0644, $root_only ],
            [ 0, 4343, 0640, @their, 0600, $foreign ],
            [ 0, 0, 0600, 0, 0, 0600 ],
        );
        for my $rule (@rules)
        {
            my ($ring_uid, $ring_gid, $ring_mode, $pem_uid, $pem_gid,
                $pem_mode, $why) = @$rule;
            chown $ring_uid, $ring_gid, $file or die "chown: $!";
            chmod $ring_mode, $file or die "chmod: $!";
            chown $pem_uid, $pem_gid, $pem_file or die "chown: $!";
            chmod $pem_mode, $pem_file or die "chmod: $!";
            my $what = sprintf '--pem-file: %d:%d %04o beside %d:%d %04o',
                @$rule[ 3, 4, 5, 0, 1, 2 ];
            my $got = $add->($pem_file, 'ES256', '--replace');
            $why
                ? refuses($got, $why, "$what is refused")
                : succeeds($got, $what);
        }

        # The owner that counts is the one that the keyring will have.
        chown 4242, 4343, $file, $pem_file or die "chown: $!";
        chmod 0600, $pem_file or die "chmod: $!";
        refuses($add->($pem_file, 'ES256', '--replace', '--owner', 'nobody'),
            $foreign, '--pem-file with --owner: the old owner\'s is refused');
        chown @their, $pem_file or die "chown: $!";
        succeeds($add->($pem_file, 'ES256', '--replace', '--owner', 'nobody'),
            'the new one\'s is fine');
        my $new = place();
        chown @their, $new or die "chown: $!";
        $file = "$new/k";
        succeeds($add->($pem_file), 'for a file that is not there yet too');
        is(members_of($file, 'x'), 'alg kid kty pem_file', 'and it is made');

        skip 'an ordinary user is needed to be refused a file', 1
            if !$can_drop;
        chown 0, 0, $pem_file or die "chown: $!";
        refuses(
            run([ 'add', $file, 'y', 'ES256', '--pem-file', $pem_file ],
                as => \@their),
            qr/could not open the file of --pem-file: Permission denied/,
            'a file that cannot be read is refused');
        like(run([ 'list', $file ], as => \@their)->{out},
            qr/^x +ES256 +token +- +- +-$/m, 'and listed without a word');
    }
}

# ---- thumbprints ----

{
    my $dir = place();
    my $file = "$dir/k";
    my $list = sub {
        my (@keys) = @_;
        my $i = 0;
        spew($file,
            JSON::PP->new->utf8->encode(
                { keys => [ map { { kid => 'k' . ++$i, %$_ } } @keys ] }));
        my $got = run([ 'list', $file ], path => '/nonexistent');
        is($got->{status}, 0, 'list is never refused by a key');
        return map { join ' ', (split ' ')[ 4, 5 ] }
            grep { /^k\d/ } split /\n/, $got->{out};
    };

    # RFC 7638, section 3.1, and RFC 8037, appendices A.1 and A.3.
    my %rsa = (
        kty => 'RSA', alg => 'RS256', e => 'AQAB',
        n => '0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAA'
            . 'tVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMst'
            . 'n64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0'
            . '_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajr'
            . 'n1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XP'
            . 'ksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw'
    );
    my $rsa_print = 'NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs';
    my %okp = (
        kty => 'OKP', crv => 'Ed25519', alg => 'EdDSA',
        x => '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo'
    );
    my $okp_print = 'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k';
    my $d = 'nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A';
    my $k = encode_base64url(secret());
    push @canaries, $d;

    is_deeply(
        [ $list->(\%rsa, \%okp, { %okp, d => $d }, { %okp, use => 'sig' }) ],
        [   "public $rsa_print", "public $okp_print",
            "private $okp_print", "public $okp_print"
        ],
        'the thumbprints of RFC 7638 and RFC 8037');
    is_deeply(
        [   $list->(
                { kty => 'oct', alg => 'HS256', k => $k },
                { kty => 'oct', alg => 'HS256' },
                { kty => 'oct', alg => 'HS256', k => 5 },
                { %okp, kty => 'oct', k => $k },
                { %rsa, n => undef },
                { %rsa, e => 65537 },
                { %rsa, n => "$rsa{n}=" },
                { %okp, x => '' },
                { %okp, x => [] },
                { %okp, kty => 'okp' },
                { %okp, kty => undef },
                { %okp, crv => '"' },
                { kty => 'EC', alg => 'ES256', crv => 'P-256', x => 'abc' },
                { alg => 'EdDSA' },
                { k => $k })
        ],
        [ 'secret -', '- -', '- -', 'secret -', ('- -') x 11 ],
        'a secret has none, nor what is no whole key');

    SKIP:
    {
        skip 'no openssl', 1 if !$has_openssl;
        my $pem_file = "$dir/key.pem";
        spew($pem_file,
            pem_of('PUBLIC KEY',
                der(0x30, der(0x30, pack 'H*', '06032b6570'),
                    der(3, "\0", decode_base64url($okp{x})))));
        my %from_file =
            (kty => 'OKP', alg => 'EdDSA', pem_file => $pem_file);
        is_deeply([ $list->(\%from_file) ],
            ['- -'], 'without openssl nothing is told of a file');

        my @told = (
            [ {}, "public $okp_print", 'a key in a file' ],
            [ { kty => undef }, '- -', 'null for a type' ],
            [ { kty => 'RSA' }, '- -', 'another type' ],
            [ { alg => 'ES256' }, '- -', 'another algorithm' ],
            [ { alg => 'HS256' }, '- -', 'an algorithm of secrets' ],
            [ { pem_file => 'key.pem' }, '- -', 'a relative path' ],
            [ { pem_file => "$pem_file.none" }, '- -', 'an absent file' ],
            [ { pem_file => '/dev/null' }, '- -', 'a device' ],
            [ { pem_file => $dir }, '- -', 'a directory' ],
            [ { pem_file => $command }, '- -', 'a file that is no PEM' ],
            [ { pem_file => [] }, '- -', 'a list for a path' ],
            [ { pem_file => undef }, '- -', 'null for a path' ],
        );
        my $i = 0;
        spew($file,
            JSON::PP->new->utf8->encode(
                {
                    keys => [
                        map { { %from_file, %{ $_->[0] }, kid => 'k' . ++$i } }
                            @told
                    ]
                }));
        my $got = run([ 'list', $file ]);
        succeeds($got, 'list with files');
        is($got->{err}, '', 'never says more');
        my @rows = grep { /^k\d/ } split /\n/, $got->{out};
        is(join(' ', (split ' ', $rows[$_])[ 4, 5 ]), $told[$_][1],
            "... of $told[$_][2]")
            for 0 .. $#told;

        # The type may be left out beside a file.
        delete $from_file{kty};
        spew($file,
            JSON::PP->new->utf8->encode(
                { keys => [ { %from_file, kid => 'k1' } ] }));
        like(run([ 'list', $file ])->{out}, qr/ public +$okp_print$/m,
            'the algorithm says the type');

        # The same from what is written here.
        my %three = (RSA => $pem{RS256}, EC => $pem{ES256},
            OKP => $pem{EdDSA});
        my %alg = (RSA => 'RS256', EC => 'ES256', OKP => 'EdDSA');
        spew($file, sample());
        for my $kty (sort keys %three)
        {
            add_pem($file, "$kty-a", $alg{$kty}, $three{$kty});
            add_pem($file, "$kty-b", $alg{$kty}, public_pem($three{$kty}));
        }
        my %print = map { (split ' ')[ 0, 5 ] } grep { /^\w+-[ab] / }
            split /\n/, run([ 'list', $file ])->{out};
        is($print{"$_-a"}, $print{"$_-b"},
            "both halves of $_ have one thumbprint")
            for sort keys %three;
    }
}

# ---- generate ----

SKIP:
{
    skip 'no openssl', 1 if !$has_openssl;
    my $dir = place();
    my $file = "$dir/k";

    spew($file, sample());
    for my $alg (sort keys %asymmetric)
    {
        my $got = run([ 'generate', $file, $alg, $alg ], no_stdin => 1);
        succeeds($got, "generate $alg");
        is($got->{out} . $got->{err}, '', '... without a word');
        is(members_of($file, $alg), $asymmetric{$alg}[3],
            '... makes a private JWK');
        my $key = key_of($file, $alg);
        is("$key->{kty} $key->{alg}", "$asymmetric{$alg}[1] $alg",
            '... of its type');
        run([ 'generate', $file, "$alg-2", $alg, '--use', 'webhook' ]);
        isnt(key_of($file, "$alg-2")->{d}, $key->{d}, '... never the same');
        is(key_of($file, "$alg-2")->{vidtoken_use}, 'webhook',
            '... for what is asked');
        refuses(run([ 'generate', $file, 'x', $alg, '--use', $_ ]),
            qr/a $_ key is a secret/, "... but not for $_")
            for qw(name turn);
        refuses(run([ 'generate', $file, $alg, $alg ]),
            qr/has a key with this id/, '... and not in place of another');
        succeeds(
            run([ 'generate', $file, $alg, $alg, '--replace', '--provider',
                'jwt' ]),
            '... unless --replace says so');
        isnt(key_of($file, $alg)->{d}, $key->{d}, '... with a new key');
    }
    is(8 * length(decode_base64url(key_of($file, 'RS256')->{n})),
        3072, 'RSA keys have 3072 bits');
    is(key_of($file, 'RS256')->{e}, 'AQAB', 'and the usual exponent');
    for my $bits (2048, 4096)
    {
        succeeds(
            run([ 'generate', $file, "b$bits", 'RS256', '--bits', $bits ]),
            "--bits $bits");
        is(8 * length(decode_base64url(key_of($file, "b$bits")->{n})),
            $bits, '... are as many');
    }
    my $before = slurp($file);
    refuses(run([ 'generate', $file, 'x', 'RS256', '--bits', $_ ]),
        qr/--bits: it is not a number from 2048 to 8192/,
        'any other value of --bits is refused')
        for qw(1024 2047 8193 9999 16384 0 -1 2048.5 2e3 02048 canary), '',
        "2048\n", "\xd9\xa2\xd9\xa0\xd9\xa4\xd9\xa8";
    refuses(run([ 'generate', $file, 'x', $_, '--bits', '3072' ]),
        qr/keys for $_ have one size/, "--bits with $_ is refused")
        for qw(ES256 EdDSA);
    is(slurp($file), $before, 'nothing was done');
    is(litter($dir), '', 'nothing is left beside the file');
}

# ---- rotate ----

{
    my $dir = place();
    my $file = "$dir/k";
    my $steps = sub {
        my ($got, $old, $new, $waits) = @_;
        my $first =
            $waits
            ? qr/When whoever reads vidtoken_jwks\(\) has seen "$new", set/
            : qr/Set/;
        like(
            $got->{err},
            qr/\A\S+\ added\ key\ "$new"\ beside\ "$old";\ what\ remains:\n
            \ \ 1\.\ $first\ vidtoken\.key_id\ to\ "$new"\ \(ALTER\ DATABASE
            \ \.\.\.\ SET\)\.\n
            \ \ 2\.\ Let\ the\ pools\ reconnect\.\n
            \ \ 3\.\ Remove\ "$old"\ when\ vidtoken_check\(\)\ says
            \ that\ nobody\ needs\ it\.\n\z/x,
            '... and tells the steps that remain');
        is($got->{out}, '', '... on standard error');
    };

    spew($file, sample());
    for my $alg (qw(HS256 HS384 HS512))
    {
        my $secret = secret(64);
        run([ 'generate', $file, $alg, $alg, '--provider', 'twilio' ]);
        my $old = key_of($file, $alg);
        my $got = run([ 'rotate', $file, $alg, "$alg-2" ],
            stdin => "$secret\n");
        succeeds($got, "rotate $alg");
        $steps->($got, $alg, "$alg-2");
        is_deeply(
            key_of($file, "$alg-2"),
            {
                kty => 'oct', kid => "$alg-2", alg => $alg,
                provider => 'twilio', k => encode_base64url($secret)
            },
            '... adds the secret, with algorithm and provider');
        is_deeply(key_of($file, $alg), $old, '... the old key stays');

        succeeds(
            run([ 'rotate', $file, $alg, "$alg-3", '--generate' ],
                stdin => 'canary'),
            '... --generate');
        isnt(key_of($file, "$alg-3")->{k}, $old->{k}, '... makes a secret');
        is(length key_of($file, "$alg-3")->{k}, length $old->{k},
            '... of the right size');
    }
    is( join(' ', map { $_->{kid} } keys_of($file)),
        'SKold name-old ' . join(' ', map { ($_, "$_-3", "$_-2") }
                qw(HS256 HS384 HS512)),
        'a successor is beside its key');

    my $before = slurp($file);
    my $rotate = sub {
        my ($kid, $new, @options) = @_;
        return run([ 'rotate', $file, $kid, $new, @options ],
            stdin => secret());
    };
    refuses($rotate->('name-old', 'x'),
        qr/it is the name key\nHINT: Every room name/,
        'the name key is not rotated');
    refuses($rotate->('none', 'x'), qr/"none": the keyring has no such key/,
        'an unknown key is refused');
    refuses($rotate->('HS256', $_), qr/a key with the id of its successor/,
        'a taken id is refused')
        for 'HS384', 'HS256', 'name-old';
    refuses($rotate->('HS256', "a\nb"), qr/control/, 'a bad id is refused');
    refuses($rotate->('HS256', ''), qr/empty/, 'an empty id is refused');
    refuses($rotate->('HS256', 'x', '--pem'),
        qr/--pem: HS256 takes a secret/, 'a secret is not PEM');
    refuses($rotate->('HS256', 'x', '--pem-file', $command),
        qr/HS256 takes a secret/, 'nor in a PEM file');
    refuses($rotate->('HS256', 'x', '--generate', '--bits', '2048'),
        qr/keys for HS256 have one size/, '--bits is refused');
    misused($rotate->('HS256', 'x', '--bits', '2048'),
        '--bits for a secret that is given');
    refuses(run([ 'rotate', $file, 'HS512', 'x' ], stdin => secret(63)),
        qr/it is shorter than 64 bytes/, 'a short secret is refused');
    refuses(run([ 'rotate', $file, 'HS512', 'x' ]), qr/it is empty/,
        'an empty one too');
    refuses(run([ 'rotate', "$file.none", 'HS512', 'x' ]),
        qr/No such file/, 'an absent file is refused');
    ok(slurp($file) eq $before && !-e "$file.none", 'nothing was done');

    # Uses other than the token's.
    for my $use (qw(webhook turn))
    {
        run([ 'generate', $file, $use, 'HS256', '--use', $use ]);
        my $got = $rotate->($use, "$use-2");
        succeeds($got, "rotate a $use key");
        is(key_of($file, "$use-2")->{vidtoken_use}, $use, '... for its use');
        like($got->{err},
            qr/\n  1\. Remove "$use" when nobody uses it any more\.\n\z/,
            '... which vidtoken.key_id has nothing to do with');
    }

    # Keys that this command cannot follow.
    my $k = encode_base64url(secret());
    spew($file,
        JSON::PP->new->utf8->encode(
            {
                keys => [
                    map { { kid => 'a', kty => 'oct', k => $k, %$_ } }
                        { alg => 'HS999' }, { kid => 'b' },
                    { kid => 'c', alg => 5 },
                    { kid => 'd', alg => 'HS256', vidtoken_use => 'other' },
                    { kid => 'e', alg => 'HS256', vidtoken_use => [] },
                    { kid => 'f', alg => 'HS256', provider => {} }
                ]
            }));
    $before = slurp($file);
    refuses($rotate->($_, 'x'),
        qr/its algorithm, use or provider is not known here/,
        "a key that is not understood is refused: $_")
        for 'a' .. 'f';
    is(slurp($file), $before, 'nothing was done');

    SKIP:
    {
        skip 'no openssl', 1 if !$has_openssl;
        spew($file, sample());
        for my $alg (sort keys %asymmetric)
        {
            my $want = join ' ', sort 'provider', split / /,
                $asymmetric{$alg}[3];
            add_pem($file, $alg, $alg, $pem{$alg}, '--provider', 'jwt');
            my $old = key_of($file, $alg);
            my $got = run([ 'rotate', $file, $alg, "$alg-2" ],
                no_stdin => 1);
            succeeds($got, "rotate $alg");
            $steps->($got, $alg, "$alg-2", 'waits');
            is(members_of($file, "$alg-2"), $want,
                '... adds a private key, with the provider');
            isnt(key_of($file, "$alg-2")->{d}, $old->{d}, '... a new one');
            is_deeply(key_of($file, $alg), $old, '... the old key stays');
            succeeds($rotate->($alg, "$alg-3", '--generate'),
                '... --generate says the same');

            succeeds(
                run([ 'rotate', $file, $alg, "$alg-4", '--pem' ],
                    stdin => $other_pem{$alg}),
                '... --pem');
            same_numbers($file, "$alg-4", $other_pem{$alg},
                '... adds what is given');
            spew("$dir/key.pem", $other_pem{$alg});
            my ($uid, $gid) = (stat $file)[ 4, 5 ];
            chown $uid, $gid, "$dir/key.pem" or die "chown: $!";
            $got = $rotate->($alg, "$alg-5", '--pem-file', "$dir/key.pem");
            succeeds($got, '... --pem-file');
            $steps->($got, $alg, "$alg-5", 'waits');
            is_deeply(
                key_of($file, "$alg-5"),
                {
                    kid => "$alg-5", alg => $alg, provider => 'jwt',
                    kty => $asymmetric{$alg}[1],
                    pem_file => "$dir/key.pem"
                },
                '... adds the path');
            succeeds($rotate->("$alg-5", "$alg-6"),
                '... such a key can be rotated');

            $before = slurp($file);
            my ($other) = grep { $_ ne $alg } sort keys %asymmetric;
            refuses(
                run([ 'rotate', $file, $alg, 'x', '--pem' ],
                    stdin => $pem{$other}),
                qr/it is not an /, '... a key of another type is refused');
            refuses($rotate->($alg, 'x', '--pem'),
                qr/it is not PEM/, '... a secret is refused');
            my $half = public_pem($other_pem{$alg});
            my $why = qr/its successor is a public key, which cannot sign/;
            refuses(
                run([ 'rotate', $file, $alg, 'x', '--pem' ], stdin => $half),
                $why, '... a public key is refused');
            spew("$dir/key.pem", $half);
            refuses($rotate->($alg, 'x', '--pem-file', "$dir/key.pem"),
                $why, '... in a file too');
            spew("$dir/key.pem", $other_pem{$alg}, 0644);
            refuses($rotate->($alg, 'x', '--pem-file', "$dir/key.pem"),
                qr/others too many rights/, '... so is one open to others');
            is(slurp($file), $before, '... nothing was done');

            add_pem($file, "$alg-public", $alg, public_pem($pem{$alg}),
                '--use', 'webhook');
            refuses($rotate->("$alg-public", 'x', @$_),
                qr/it is a public key\nHINT: .*--pem/,
                '... none is made for a public key')
                for [], ['--generate'];
            $got =
                run([ 'rotate', $file, "$alg-public", "$alg-half", '--pem' ],
                stdin => $half);
            succeeds($got, '... which another one can follow');
            is( members_of($file, "$alg-half"),
                join(' ', sort 'vidtoken_use', split / /,
                    $asymmetric{$alg}[2]),
                '... for the same use');
            like($got->{err}, qr/nobody uses it any more/,
                '... without a word of vidtoken.key_id');
        }
        succeeds($rotate->('RS256', 'bits', '--bits', '2048'),
            'rotate --bits');
        is(8 * length(decode_base64url(key_of($file, 'bits')->{n})),
            2048, 'are as many');
        refuses($rotate->('RS256', 'x', '--bits', '1024'),
            qr/not a number from 2048/, 'fewer are refused');
        refuses($rotate->('ES256', 'x', '--bits', '2048'),
            qr/keys for ES256 have one size/, 'as for other algorithms');
        misused(
            run([ 'rotate', $file, 'RS256', 'x', '--pem', '--bits', '2048' ],
                stdin => $pem{RS256}),
            '--bits for a key that is given');
    }
    is(litter($dir), '', 'nothing is left beside the file');
}

# A keyring that others change meanwhile.
{
    my $dir = place();
    my $file = "$dir/k";
    spew($file, sample());
    run([ 'generate', $file, 'A', 'HS512' ]);

    sysopen my $lock, $dir, O_RDONLY or die "$dir: $!";
    flock $lock, LOCK_EX or die "flock: $!";
    my $before = slurp($file);
    my @running = (
        start([ 'rotate', $file, 'A', 'B', '--generate' ]),
        start([ 'add', $file, 'C', 'HS256' ], stdin => secret()),
        start([ 'rotate', $file, 'SKold', 'D' ], stdin => secret()),
        start([ 'remove', $file, 'SKold' ]),
        start([ 'generate', $file, 'E', 'HS384' ]));
    sleep 0.7;
    is(slurp($file), $before, 'rotate and generate wait for the lock');
    flock $lock, LOCK_UN;
    my @got = map { finish($_) } @running;
    is(join(' ', map { $_->{status} } @got[ 0, 1, 3, 4 ]), '0 0 0 0',
        'and all have their effect');
    my $kids = join ' ', sort map { $_->{kid} } keys_of($file);
    $got[2]{status} eq '0'
        ? is($kids, 'A B C D E name-old', 'none is lost')
        : is($kids, 'A B C E name-old', 'none is lost');
    refuses($got[2], qr/no such key/, 'one of them came too late')
        if $got[2]{status} ne '0';

    SKIP:
    {
        skip 'no FIFOs here', 1 if !POSIX::mkfifo("$dir/fifo", 0600);
        my $late = sub {
            my ($meanwhile) = @_;
            my $run = start(
                [ 'rotate', $file, 'A', 'F' ],
                through =>
                    [ '/bin/sh', '-c', 'exec "$@" <"$0"', "$dir/fifo" ]);
            open my $fifo, '>', "$dir/fifo" or die "fifo: $!";
            $fifo->autoflush(1);
            sleep 0.5;
            $meanwhile->();
            print $fifo secret(64);
            close $fifo;
            return finish($run);
        };

        refuses(
            $late->(
                sub {
                    my $start = time;
                    succeeds(run([ 'remove', $file, 'C' ]),
                        'nobody waits while a secret is typed');
                    cmp_ok(time - $start, '<', 10, 'not even a while');
                    succeeds(
                        run([ 'generate', $file, 'A', 'HS256', '--replace' ]),
                        'the key may even change');
                }),
            qr/it was changed by another command/, 'which is noticed');
        refuses(
            $late->(
                sub {
                    succeeds(run([ 'generate', $file, 'F', 'HS256' ]),
                        'the new id may be taken');
                }),
            qr/a key with the id of its successor/, 'which is noticed');
        run([ 'remove', $file, 'F' ]);
        refuses(
            $late->(
                sub {
                    succeeds(run([ 'remove', $file, 'A' ]),
                        'the key may be removed');
                }),
            qr/no such key/, 'which is noticed');
        ok(!key_of($file, 'F'), 'nothing was done');
    }
}

# ---- openssl ----

SKIP:
{
    skip 'no openssl', 1 if !$has_openssl;
    my $dir = place();
    my $file = "$dir/k";
    my $log = "$dir/log";
    my ($real) = grep { -x } map { "$_/openssl" } split /:/, $ENV{PATH};
    my $spy_path = "$dir/bin:$ENV{PATH}";

    # One that writes down how it is called.
    mkdir "$dir/bin" or die "mkdir: $!";
    spew("$dir/bin/openssl",
        "#!/bin/sh\n"
            . "{ echo pid \$\$; for word; do echo \"\$word\"; done; env; }"
            . " >>$log\nexec $real \"\$@\"\n",
        0755);
    spew($file, sample());
    spew($log, '');
    spew("$dir/key.pem", $pem{RS256});
    my @calls = (
        (map { [ [ 'add', $file, "a$_", $_ ], $pem{$_} ] }
                sort keys %asymmetric),
        (map { [ [ 'add', $file, "p$_", $_ ], public_pem($pem{$_}) ] }
                sort keys %asymmetric),
        (map { [ [ 'generate', $file, "g$_", $_ ] ] } sort keys %asymmetric),
        (map { [ [ 'rotate', $file, "g$_", "r$_" ] ] }
                sort keys %asymmetric),
        [ [ 'add', $file, 'f', 'RS256', '--pem-file', "$dir/key.pem" ] ],
        [ ['list', $file] ]);
    my @owner = (stat $file)[ 4, 5 ];
    chown @owner, "$dir/key.pem" or die "chown: $!";
    my $good = grep {
        run($_->[0], stdin => $_->[1] // '', path => $spy_path)->{status}
            eq '0'
    } @calls;
    is($good, scalar @calls, 'every command works beside a spy');
    keys_of($file);
    my $seen = slurp($log);
    my $lines = () = $seen =~ /^pid /mg;
    cmp_ok($lines, '>', 25, 'openssl is called by pipes');
    my @leaks = grep { length > 20 && index($seen, $_) >= 0 }
        map { ($_, substr $_, 0, 40) } @canaries;
    is(scalar @leaks, 0, 'with no byte of a key in its words or environment');
    unlike($seen, qr/^-(?:in|out|key|keyout|pass)$/m, 'and no file');

    # One that is not there.
    my $before = slurp($file);
    my $missing =
        qr/program was not found\nHINT: Install the Debian package "openssl"/;
    refuses(run([ 'generate', $file, 'x', $_ ], path => '/nonexistent'),
        $missing, "without openssl generate $_ is refused")
        for sort keys %asymmetric;
    refuses(
        run([ 'add', $file, 'x', 'RS256' ], stdin => $pem{RS256},
            path => '/nonexistent'),
        $missing, 'as is add');
    refuses(
        run([ 'add', $file, 'x', 'RS256', '--pem-file', "$dir/key.pem" ],
            path => '/nonexistent'),
        $missing, 'also of a file');
    refuses(run([ 'rotate', $file, 'aRS256', 'x' ], path => '/nonexistent'),
        $missing, 'and rotate');
    is(slurp($file), $before, 'nothing was done');
    my $got = run([ 'list', $file ], path => '/nonexistent');
    succeeds($got, 'list needs none');
    like($got->{out}, qr/^f +RS256 +token +- +- +-$/m,
        'but to look into files');
    like($got->{out}, qr/^aRS256 +RS256 +token +- +private +[\w-]{43}$/m,
        'and tells the rest');
    succeeds(run([ 'generate', $file, 'HS', 'HS512' ],
        path => '/nonexistent'), 'secrets need none');
    succeeds(run([ 'rotate', $file, 'HS', 'HS-2', '--generate' ],
        path => '/nonexistent'), 'nor their rotation');

    # One that talks nonsense, or fails.
    $before = slurp($file);
    for my $nonsense ('echo canary', 'exit 1', 'kill -9 $$', 'cat',
        'echo "-----BEGIN PUBLIC KEY-----"; echo canary;'
            . ' echo "-----END PUBLIC KEY-----"')
    {
        spew("$dir/bin/openssl", "#!/bin/sh\n$nonsense\n", 0755);
        refuses(
            run([ 'add', $file, 'x', 'RS256' ], stdin => $pem{RS256},
                path => $spy_path),
            qr/./, 'a broken openssl is an error');
        refuses(run([ 'generate', $file, 'x', 'EdDSA' ], path => $spy_path),
            qr/./, '... for generate too');
    }
    is(slurp($file), $before, 'nothing was done');

    # A parent that ignores its children, and streams that are closed.
    succeeds(run([ 'generate', $file, 'chld', 'ES256' ], ignoring => 'CHLD'),
        'SIGCHLD may be ignored from above');
    $got = run(
        [ 'generate', $file, 'closed', 'ES256' ],
        through => [ '/bin/sh', '-c', 'exec "$@" <&- >&- 2>&-', 'sh' ]);
    succeeds($got, 'all streams may be closed');
    is(members_of($file, 'closed'), $asymmetric{ES256}[3],
        'the key is whole');

    # A signal ends what was started.
    spew("$dir/bin/openssl",
        "#!/bin/sh\ntrap 'echo >$dir/ended; exit' TERM\necho >$dir/begun\n"
            . "while :; do sleep 0.1; done\n",
        0755);
    $before = slurp($file);
    my $wait_for = sub {
        my ($name) = @_;
        my $until = time + 20;
        sleep 0.05 while !-e "$dir/$name" && time < $until;
        return unlink "$dir/$name";
    };
    for my $signal (qw(INT TERM HUP))
    {
        my $run = start([ 'generate', $file, 'x', 'RS256' ],
            path => $spy_path);
        ok($wait_for->('begun'), 'openssl works');
        kill $signal, $run->{pid};
        is(finish($run)->{status}, 'signal ' . POSIX->can("SIG$signal")->(),
            "SIG$signal ends generate");
        ok($wait_for->('ended'), 'and openssl');
    }
    is(slurp($file), $before, 'the keyring is as it was');
    is(litter($dir), '', 'nothing is left behind');
}

# ---- a terminal ----

SKIP:
{
    skip 'no script(1) of util-linux', 1
        if `script --version 2>/dev/null` !~ /util-linux/;
    skip 'no pseudo-terminals', 1
        if system('script -qec true /dev/null </dev/null >/dev/null 2>&1') != 0;
    my $file = place() . '/k';
    my $secret = secret();
    my $call = join ' ', map { my $w = $_; $w =~ s/'/'\\''/g; "'$w'" }
        $^X, $command, 'add', $file, 'SKtty', 'HS256';

    spew($file, sample());
    pipe my $shown, my $screen or die "pipe: $!";
    pipe my $fingers, my $keyboard or die "pipe: $!";
    my $pid = fork // die "fork: $!";
    if (!$pid)
    {
        open STDIN, '<&', $fingers or POSIX::_exit(99);
        open STDOUT, '>&', $screen or POSIX::_exit(99);
        open STDERR, '>&', $screen or POSIX::_exit(99);
        close $_ for $shown, $screen, $fingers, $keyboard;
        exec 'script', '-qec', "$call; stty -a", '/dev/null'
            or POSIX::_exit(97);
    }
    close $_ for $screen, $fingers;
    my $seen = '';
    eval {
        local $SIG{ALRM} = sub { die "timeout\n" };
        alarm 60;
        while (sysread $shown, $seen, 4096, length $seen)
        {
            last if $seen =~ /secret of key/;
        }
        syswrite $keyboard, "$secret\n";
        while (sysread $shown, $seen, 4096, length $seen) { }
        alarm 0;
    };
    close $keyboard;
    kill 'TERM', $pid if $@;
    waitpid $pid, 0;
    $transcript .= $seen;
    is($@, '', 'a secret can be typed');
    like($seen, qr/\Asecret of key "SKtty": /, 'it is asked for');
    unlike($seen, qr/canary/, 'it is not echoed');
    like($seen, qr/(?<!-)\becho\b/, 'the echo is on again afterwards');
    is(key_of($file, 'SKtty')->{k}, encode_base64url($secret),
        'the key is what was typed');

    # A key of several lines is not typed, and would be shown.
    $call =~ s/'HS256'\z/'RS256'/;
    $seen = `script -qec "$call" /dev/null </dev/null`;
    $transcript .= $seen;
    like($seen, qr/cannot read the key: standard input is a terminal\r\n/,
        'PEM is not read from a terminal');
}

# ---- no byte of a key has shown ----

{
    my %once = map { ($_ => 1) } @canaries;
    my @shown = grep {
        my $canary = $_;
        index($transcript, $canary) >= 0
            || (length $canary > 16
            && grep { index($transcript, substr $canary, $_, 12) >= 0 }
            grep { $_ % 6 == 0 } 0 .. length($canary) - 12)
    } keys %once;
    cmp_ok(scalar @canaries, '>', 100, 'there was much to show');
    cmp_ok(length $transcript, '>', 10_000, 'and many words');
    is(scalar @shown, 0, 'no output shows a byte of a key');
    unlike($transcript, qr/internal (?:error|warning)| at \S+ line \d/,
        'and none is Perl\'s own');
}

done_testing();
