# Removes the agent in $Directory, or what is left of it; what it is known by goes last, so that this can be done again.
param([string]$Directory)
$ErrorActionPreference = 'Stop'
$name = 'Dispatcher agent'
$marker = Join-Path $Directory 'agent.json'
if (Test-Path -LiteralPath $marker) {
    $noted = Get-Content -LiteralPath $marker -Raw | ConvertFrom-Json
    Set-Content -LiteralPath $marker -Value "{`"agent_id`": `"$($noted.agent_id)`", `"is_going`": true}" -Encoding ASCII
    $task = Get-ScheduledTask -TaskName $name -ErrorAction SilentlyContinue
    if ($task) { Stop-ScheduledTask -TaskName $name; Unregister-ScheduledTask -TaskName $name -Confirm:$false }
    $prefix = (Join-Path $Directory 'program') + '\'
    Get-CimInstance Win32_Process |
        Where-Object { $_.ExecutablePath -and $_.ExecutablePath.StartsWith($prefix, 'OrdinalIgnoreCase') -or
            $_.CommandLine -and $_.CommandLine.IndexOf($prefix, [StringComparison]::OrdinalIgnoreCase) -ge 0 } |
        ForEach-Object { & taskkill.exe /T /F /PID $_.ProcessId 2>&1 | Out-Null }
    Get-ChildItem -LiteralPath $Directory -Force | Where-Object { $_.Name -ne 'agent.json' } |
        Remove-Item -Recurse -Force
    Remove-Item -LiteralPath $Directory -Recurse -Force
}
foreach ($rest in "$Directory.new", "$Directory.old") {
    if (Test-Path -LiteralPath $rest) { Remove-Item -LiteralPath $rest -Recurse -Force }
}
@{ done = $true } | ConvertTo-Json -Compress
