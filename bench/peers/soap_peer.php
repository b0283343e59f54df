<?php
// The peer: PHP's own SoapServer over the contract's WSDL, with one durable row of SQLite for a job.

class SchedulingService
{
    private PDO $db;

    public function __construct()
    {
        $options = [PDO::ATTR_PERSISTENT => true, PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION, PDO::ATTR_TIMEOUT => 60];
        $this->db = new PDO('sqlite:' . $_SERVER['BENCH_DB'], null, null, $options);
        $this->db->exec('PRAGMA synchronous=FULL');
    }

    public function ScheduleJob($arguments)
    {
        $job = $arguments->job;
        $job->JobID = '{' . strtoupper(vsprintf('%s%s-%s-%s-%s-%s%s%s', str_split(bin2hex(random_bytes(16)), 4))) . '}';
        $insert = $this->db->prepare("INSERT INTO job VALUES (?, ?, ?, datetime('now'))");
        $insert->execute([$job->JobID, $job->Description, json_encode($job)]);
        return ['ScheduleJobResult' => $job];
    }

    public function GetJob($arguments)
    {
        $select = $this->db->prepare('SELECT content FROM job WHERE id = ?');
        $select->execute([$arguments->jobId]);
        $job = json_decode($select->fetchColumn());
        $job->Status = [
            'JobInvoker' => 'InvokeUser',
            'JobInvokerInfo' => 'bench',
            'StartDateTime' => '2026-01-01T00:00:00Z',
            'Type' => 'Active',
        ];
        return ['GetJobResult' => $job];
    }
}

ini_set('soap.wsdl_cache_enabled', '1');
$server = new SoapServer($_SERVER['BENCH_WSDL'], ['cache_wsdl' => WSDL_CACHE_BOTH]);
$server->setClass('SchedulingService');
$server->handle();
