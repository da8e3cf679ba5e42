#!/usr/bin/perl
#
# The command vidtoken-keyring: what it writes, what it refuses, and that no
# byte of a key shows.
#
# It runs on files in a temporary directory, as root and as an ordinary user:
#
#     prove test/t/001_keyring_command.t
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
use MIME::Base64 qw(encode_base64url decode_base64url);
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

my $root = "$FindBin::RealBin/../..";
my $command = "$root/src/bin/vidtoken-keyring";
my $top = tempdir(CLEANUP => 1);
my $am_root = $> == 0;

# A command that refuses its words does not read what is sent to it.
$SIG{PIPE} = 'IGNORE';

# What no output may show, and all output there was.
my @canaries = ('canary');
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
        push @canaries, $key->{k} if length($key->{k} // '') > 20;
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
        qr/algorithm: it is not known\nHINT: Known are: HS256\./,
        "algorithm '$_' is refused")
        for 'HS384', 'HS512', 'hs256', 'none', 'RS256', '', 'canary';
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
        "KID                  ALG    USE    PROVIDER\n"
            . "SK1                  HS256  token  twilio\n"
            . "rsa-2026             RS256  token  -\n"
            . "\xc3\xbc                    -      name   -\n"
            . "odd\\u001b[31m\\u202e  ?      ?      ?\n",
        'a line a key, aligned, control characters spelt out');

    spew($file, '{"keys":[]}');
    is(run([ 'list', $file ])->{out}, "KID  ALG  USE  PROVIDER\n",
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
}

# ---- no byte of a key has shown ----

{
    my @shown = grep {
        my $canary = $_;
        index($transcript, $canary) >= 0
            || (length $canary > 16
            && grep { index($transcript, substr $canary, $_, 12) >= 0 }
            grep { $_ % 6 == 0 } 0 .. length($canary) - 12)
    } @canaries;
    cmp_ok(scalar @canaries, '>', 100, 'there was much to show');
    cmp_ok(length $transcript, '>', 10_000, 'and many words');
    is(scalar @shown, 0, 'no output shows a byte of a key');
    unlike($transcript, qr/internal (?:error|warning)| at \S+ line \d/,
        'and none is Perl\'s own');
}

done_testing();
