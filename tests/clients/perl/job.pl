# The life of a job, told by SOAP::Lite: one JSON object a line. What to do is read as JSON.
use v5.26;
use warnings;
use Encode qw(decode encode);
use JSON::PP;
use MIME::Base64 qw(decode_base64);
use Time::HiRes qw(sleep);

my $sent;
use SOAP::Lite +trace => [transport => sub { $sent = $_[0]->content if $_[0]->isa('HTTP::Request') }];

my $json = JSON::PP->new->utf8;
my $given = $json->decode(do { local $/; <STDIN> });
SOAP::Lite->soapversion($given->{version});
my $service = SOAP::Lite->service($given->{wsdl})->want_som(1);

sub report { my ($what, $value) = @_; say $json->encode({$what => $value}) }

# Its proxies know no types: members get their names here, and all are text.
sub member {
    my ($name, $value) = @_;
    return map { member($name, $_) } @$value if ref $value eq 'ARRAY';
    return SOAP::Data->name($name)->type(string => $value) unless ref $value;
    return SOAP::Data->name($name => \SOAP::Data->value(map { member($_, $value->{$_}) } sort keys %$value));
}

sub call {
    my ($operation, %members) = @_;
    return $service->$operation(map { member($_, $members{$_}) } sort keys %members);
}

sub schedule {
    my %job = (@_, When => {Immediate => 'true'}, Who => {JobWho => {ID => $given->{agent}, Type => 'Agent'}});
    return call(ScheduleJob => job => \%job)->valueof('//ScheduleJobResult/JobID');
}

sub wait_while {
    my ($job_id, @states) = @_;
    while () {
        my $job = call(GetJob => jobId => $job_id)->result;
        return $job unless grep { $_ eq $job->{Status}{Type} } @states;
        sleep 0.05;
    }
}

eval { call('GetModules') } or report(refused => $@);
my @credentials = map { encode('UTF-8', $_) } @$given{qw(login password)};
{
    no warnings 'redefine';
    sub SOAP::Transport::HTTP::Client::get_basic_credentials { return @credentials }
}
report(modules => [call('GetModules')->valueof('//JobWhat/Name')]);

my $found = call(GetInputParameters => whatType => 'Module', whatId => $given->{count});
my ($first, @others) = $found->valueof('//JobParameters/JobParameter');
my $parameters = {
    %{$found->result},
    JobParameters => {JobParameter => [{%$first, Value1 => $given->{text}}, @others]},
};
my $counts = schedule(
    Description => $given->{text},
    Parameters => {ParameterContainer => $parameters},
    What => {JobWhat => {ID => $given->{count}, Type => 'Module'}},
);
report(sent => decode('UTF-8', $sent));
report(scheduled => $counts);
report(listed => [call(GetJobs => stage => 'All')->valueof('//Items/Job/JobID')]);
my $job = wait_while($counts, 'Scheduled', 'Active');
report(ended => {description => $job->{Description}, state => $job->{Status}{Type}});
my $content = call(ExportJobResults => jobId => $counts, includeDetailed => 'true')->valueof('//Xml');
report(result => decode('UTF-16LE', decode_base64($content)));

my $sleeps = schedule(What => {JobWhat => {ID => $given->{sleep}, Type => 'Module'}});
wait_while($sleeps, 'Scheduled');
call(UpdateJobStatus => jobId => $sleeps, status => {Type => 'Aborting'});
report(aborted => wait_while($sleeps, 'Active', 'Aborting')->{Status}{Type});

my $fault = call(GetJob => jobId => $given->{unknown})->fault;
my $detail = ($fault->{detail} // $fault->{Detail})->{ExceptionDetail};
report(fault => {
    code => $fault->{faultcode} // $fault->{Code}{Value},
    text => $fault->{faultstring} // $fault->{Reason}{Text},
    type => $detail->{Type},
});
