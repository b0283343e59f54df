<?php
// The life of a job, told by PHP's SoapClient: one JSON object a line. What to do is read as JSON.
declare(strict_types=1);

$given = json_decode(stream_get_contents(STDIN), flags: JSON_THROW_ON_ERROR);

function tell(string $what, mixed $value): void
{
    echo json_encode([$what => $value], JSON_THROW_ON_ERROR), "\n";
}

function schedule(array $job): string
{
    global $service, $given;
    $job['When'] = ['Immediate' => true];
    $job['Who'] = ['JobWho' => [['ID' => $given->agent, 'Type' => 'Agent']]];
    return $service->ScheduleJob(['job' => $job])->ScheduleJobResult->JobID;
}

function wait_while(string $jobId, string ...$states): stdClass
{
    global $service;
    do {
        usleep(50_000);
        $job = $service->GetJob(['jobId' => $jobId])->GetJobResult;
    } while (in_array($job->Status->Type, $states, true));
    return $job;
}

$options = [
    'cache_wsdl' => WSDL_CACHE_NONE,
    'features' => SOAP_SINGLE_ELEMENT_ARRAYS,
    'soap_version' => $given->version === '1.2' ? SOAP_1_2 : SOAP_1_1,
    'trace' => true,
];
try {
    (new SoapClient($given->wsdl, $options))->GetModules();
} catch (SoapFault $refused) {
    tell('refused', $refused->getMessage());
}
$service = new SoapClient($given->wsdl, $options + ['login' => $given->login, 'password' => $given->password]);
tell('modules', array_column($service->GetModules()->GetModulesResult->JobWhat, 'Name'));

$found = $service->GetInputParameters(['whatType' => 'Module', 'whatId' => $given->count]);
$parameters = $found->GetInputParametersResult;
$parameters->JobParameters->JobParameter[0]->Value1 = $given->text;
$counts = schedule([
    'Description' => $given->text,
    'Parameters' => ['ParameterContainer' => [$parameters]],
    'What' => ['JobWhat' => [['ID' => $given->count, 'Type' => 'Module']]],
]);
tell('sent', $service->__getLastRequest());
tell('scheduled', $counts);
tell('listed', array_column($service->GetJobs(['stage' => 'All'])->GetJobsResult->Items->Job, 'JobID'));
$job = wait_while($counts, 'Scheduled', 'Active');
tell('ended', ['description' => $job->Description, 'state' => $job->Status->Type]);
$results = $service->ExportJobResults(['jobId' => $counts, 'includeDetailed' => true])->ExportJobResultsResult;
tell('result', iconv('UTF-16LE', 'UTF-8', $results->Xml));

$sleeps = schedule(['What' => ['JobWhat' => [['ID' => $given->sleep, 'Type' => 'Module']]]]);
wait_while($sleeps, 'Scheduled');
$service->UpdateJobStatus(['jobId' => $sleeps, 'status' => ['Type' => 'Aborting']]);
tell('aborted', wait_while($sleeps, 'Active', 'Aborting')->Status->Type);

try {
    $service->GetJob(['jobId' => $given->unknown]);
} catch (SoapFault $fault) {
    $detail = $fault->detail->ExceptionDetail;
    tell('fault', ['code' => $fault->faultcode, 'text' => $fault->getMessage(), 'type' => $detail->Type]);
}
