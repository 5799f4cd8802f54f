// ./run cluster, as somebody does who tries it: one ready line, three nodes that work, three logs, and Ctrl-C
// ends all. The shipped configs, but for their ports and folders: the default ones may be in use.
'use strict';

const assert = require('node:assert');
const { execFileSync, spawn } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { test } = require('node:test');
const { freePorts } = require('./cluster');

const HOUSE = path.join(__dirname, '..', '..');
const READY_MS = 90_000; // it looks whether everything is built, too
const NODES = [ 'a', 'b', 'c' ];

// Copies the shipped configs into the folder, with other ports.
async function copyConfigs(folder) {
  const texts = NODES.map(node => fs.readFileSync(path.join(HOUSE, 'config', 'cluster', `${node}.conf`), 'utf8'));
  const shipped = [ ...new Set(texts.join('\n').match(/(?<=Port = |:)\d+/g)) ];
  const free = await freePorts(shipped.length);
  const others = new Map(shipped.map((port, i) => [ port, String(free[i]) ]));
  NODES.forEach((node, i) => fs.writeFileSync(path.join(folder, `${node}.conf`), texts[i]
    .replace(/(?<=Port = |:)\d+/g, port => others.get(port))
    .replace(/(?<=storePathRootDir = ).*/, path.join(folder, 'data', node))));
  return shipped.length;
}

test('./run cluster serves three nodes until it is told to end', async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'holdfast-e2e-run-'));
  const run = { text: '' };
  try {
    assert.strictEqual(await copyConfigs(folder), 9);
    // Should the test die, run's shell ends, and the nodes with it: see the group below.
    run.child = spawn(path.join(HOUSE, 'run'), [ 'cluster', folder ], { detached: true });
    for (const stream of [ run.child.stdout, run.child.stderr ])
      stream.on('data', text => { run.text += text; });
    const ended = once(run.child, 'exit');
    const deadline = Date.now() + READY_MS;
    while (!/^ready: .*\n/m.test(run.text)) {
      assert(Date.now() < deadline && run.child.exitCode === null, `no ready line:\n${run.text}`);
      await new Promise(resolve => setTimeout(resolve, 50));
    }
    const [ , servers ] = /^ready: name servers ([^ ,]+),/m.exec(run.text);
    assert.strictEqual(servers.split(';').length, 3);
    const holdfast = (...words) =>
      execFileSync(process.env.HOLDFAST_BINARY, [ ...words, '--namesrv', servers ]).toString();
    const table = holdfast('cluster', 'status');
    for (const node of NODES) assert.match(table, new RegExp(`^${node} +(leader|follower)`, 'm'));
    holdfast('send', 'e2e-run', 'hello');
    for (const node of NODES)
      assert.match(fs.readFileSync(path.join(folder, `${node}.log`), 'utf8'), /^ready: /m);
    const pids = NODES.map(node => Number(new RegExp(`\\b${node} (\\d+)`).exec(run.text.split('pid:')[1])[1]));
    pids.forEach(pid => process.kill(pid, 0));

    run.child.kill('SIGTERM');
    const [ code ] = await ended;
    assert.strictEqual(code, 0, run.text);
    pids.forEach(pid => assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' }));
    assert.strictEqual(run.text.match(/^ready: /gm).length, 1);
  } finally {
    // Its group: the shell and, should it have left any, the nodes.
    try {
      process.kill(-run.child.pid, 'SIGKILL');
    } catch (gone) {
      assert.strictEqual(gone.code, 'ESRCH');
    }
    fs.rmSync(folder, { recursive: true, force: true });
  }
});
