PRAGMA journal_mode=WAL;
BEGIN TRANSACTION;
CREATE TABLE events (
	seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	run VARCHAR(200) NOT NULL, 
	body TEXT NOT NULL, 
	FOREIGN KEY(run) REFERENCES runs (run)
);
INSERT INTO "events" VALUES(1,'r1','{"at":0.5,"kind":"note","text":"begun"}');
INSERT INTO "events" VALUES(2,'r1','{"at":9.5,"kind":"abort","text":"errors above 0.2"}');
CREATE TABLE halts (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	scope VARCHAR(200) NOT NULL, 
	reason TEXT NOT NULL, 
	who TEXT NOT NULL, 
	at VARCHAR(32) NOT NULL, 
	released_at VARCHAR(32), 
	released_by TEXT
);
INSERT INTO "halts" VALUES(1,'all','error budget spent','ada','2026-03-01T12:00:00.123456+00:00',NULL,NULL);
INSERT INTO "halts" VALUES(2,'r1','old','bob','2026-03-01T12:00:00.123456+00:00','2026-03-01T12:00:00.123456+00:00','bob');
CREATE TABLE journal (
	seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	run VARCHAR(200) NOT NULL, 
	n INTEGER NOT NULL, 
	entry VARCHAR(20) NOT NULL, 
	at VARCHAR(32) NOT NULL, 
	host VARCHAR(300) NOT NULL, 
	body TEXT NOT NULL, 
	CHECK (entry IN ('intended', 'injected', 'inject-failed', 'restored', 'unrestored'))
);
INSERT INTO "journal" VALUES(1,'r1',1,'intended','2026-03-01T12:00:00.123456+00:00','h/00000000','{"run":"r1","n":1,"at":"2026-03-01T12:00:00.123456Z","entry":"intended","kind":"instance.kill","step":0,"group":"web","spec":{"docker":{"labels":{"app":"web"},"names":[],"image":null,"network":null,"compose":null,"host":null},"local":null},"ref":{"id":"docker://engine/web-1@c0ffee","name":"web-1","labels":{"app":"web"},"identity":"t0","healthy":true,"condition":"running","exclusion":""},"injection":{"tag":"chaoskit-r1-1","target":"docker://engine/web-1@c0ffee","nested":[1,{"deep":null}]},"by_hand":["docker start web-1"]}');
INSERT INTO "journal" VALUES(2,'r1',1,'injected','2026-03-01T12:00:00.123456+00:00','h/00000000','{"run":"r1","n":1,"at":"2026-03-01T12:00:00.123456Z","entry":"injected","effect":{"bit":true,"requested":"dead","measured":"exited 137"}}');
INSERT INTO "journal" VALUES(3,'r1',2,'intended','2026-03-01T12:00:00.123456+00:00','h/00000000','{"run":"r1","n":2,"at":"2026-03-01T12:00:00.123456Z","entry":"intended","kind":"instance.kill","step":0,"group":"web","spec":{"docker":{"labels":{"app":"web"},"names":[],"image":null,"network":null,"compose":null,"host":null},"local":null},"ref":{"id":"docker://engine/web-2@c0ffee","name":"web-2","labels":{"app":"web"},"identity":"t0","healthy":true,"condition":"running","exclusion":""},"injection":{"tag":"chaoskit-r1-2","target":"docker://engine/web-2@c0ffee","nested":[1,{"deep":null}]},"by_hand":["docker start web-2"]}');
INSERT INTO "journal" VALUES(4,'r1',1,'restored','2026-03-01T12:01:00.123456+00:00','h/00000000','{"run":"r1","n":1,"at":"2026-03-01T12:01:00.123456Z","entry":"restored","note":"started again","attempts":2}');
CREATE TABLE readings (
	seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	run VARCHAR(200) NOT NULL, 
	body TEXT NOT NULL, 
	FOREIGN KEY(run) REFERENCES runs (run)
);
INSERT INTO "readings" VALUES(1,'r1','{"role":"check","name":"availability","phase":"baseline","at":1.0,"took":0.01,"outcome":"held","value":0.30000000000000004,"problem":""}');
INSERT INTO "readings" VALUES(2,'r1','{"role":"check","name":"availability","phase":"observe","at":2.0,"took":0.01,"outcome":"unknown","value":null,"problem":""}');
INSERT INTO "readings" VALUES(3,'r1','{"role":"check","name":"availability","phase":"observe","at":3.0,"took":0.01,"outcome":"deviated","value":Infinity,"problem":""}');
INSERT INTO "readings" VALUES(4,'r1','{"role":"check","name":"availability","phase":"observe","at":4.0,"took":0.01,"outcome":"held","value":5e-324,"problem":""}');
INSERT INTO "readings" VALUES(5,'r1','{"role":"abort","name":"errors","phase":"observe","at":9.5,"took":0.2,"outcome":"deviated","value":null,"problem":"b\udc80d"}');
CREATE TABLE runs (
	run VARCHAR(200) NOT NULL, 
	experiment VARCHAR(200) NOT NULL, 
	title TEXT NOT NULL, 
	started_at VARCHAR(32) NOT NULL, 
	duration FLOAT, 
	verdict VARCHAR(20), 
	exit_code INTEGER, 
	host VARCHAR(300) NOT NULL, 
	pid INTEGER NOT NULL, 
	pid_started FLOAT NOT NULL, 
	heartbeat_at VARCHAR(32) NOT NULL, 
	header TEXT NOT NULL, 
	PRIMARY KEY (run)
);
INSERT INTO "runs" VALUES('r1','checkout-survives','Checkout keeps serving when one replica dies','2026-03-01T12:00:00.123456+00:00',95.25,'aborted',4,'h/00000000',4242,1.5,'2026-03-01T12:00:00.123456+00:00','{"schema_version":"chaoskit.run/1","run":"r1","experiment":{"apiVersion":"chaoskit/v1","kind":"Experiment","name":"checkout-survives","title":"Checkout keeps serving when one replica dies","description":"","owner":"","tags":[],"runbook":null,"prometheus":{"url":"http://127.0.0.1:9090","auth":{"bearer":"env:PROM_TOKEN","username":null,"password":null},"tls":{"ca_file":null,"cert_file":null,"key_file":null,"verify":true},"timeout":"5s"},"targets":{"web":{"docker":{"labels":{"app":"web"},"names":[],"image":null,"network":null,"compose":null,"host":null},"local":null},"proc":{"docker":null,"local":{"name":null,"cmdline":null,"pidfile":null,"port":8080}}},"steady_state":[{"at_least":"99%","at_most":null,"equals":null,"promql":"ratio","http":null,"tcp":null,"command":null,"range":{"last":"10s","step":"5s"},"reduce":"min","fresh_within":null,"name":"availability","during":null},{"at_least":null,"at_most":"300ms","equals":null,"promql":"p95","http":null,"tcp":null,"command":null,"range":null,"reduce":null,"fresh_within":null,"name":"latency","during":{"at_least":null,"at_most":"1s","equals":null,"allow_for":"2s"}},{"at_least":null,"at_most":null,"equals":null,"promql":null,"http":{"url":"http://127.0.0.1/","method":"GET","status":[200,204],"within":"1s","headers":{},"body":null,"body_contains":null,"auth":null,"tls":{"ca_file":null,"cert_file":null,"key_file":null,"verify":true}},"tcp":null,"command":null,"range":null,"reduce":null,"fresh_within":null,"name":"front page","during":null},{"at_least":null,"at_most":null,"equals":null,"promql":null,"http":null,"tcp":null,"command":{"run":["true","--x"],"status":0,"within":"10s"},"range":null,"reduce":null,"fresh_within":null,"name":"script","during":null}],"expect":{"recover_within":"30s","alerts":[{"alert":"Down","labels":{},"fires_within":"2m"}]},"faults":[{"kind":"instance.kill","target":"web","pick":"30%","pick_min":null,"duration":"1m","parameters":{"signal":"KILL"}},{"kind":"process.pause","target":"proc","pick":{"zone":"a"},"pick_min":null,"duration":"90s","parameters":{}}],"blast_radius":{"max_targets":2,"max_percent":"34%","min_healthy":1,"require_label":null},"abort_when":[{"promql":"errors","http":null,"tcp":null,"command":null,"range":null,"reduce":null,"fresh_within":null,"name":"","above":"0.2","below":null,"for":"3s","no_data_for":null},{"promql":null,"http":null,"tcp":null,"command":null,"range":null,"reduce":null,"fresh_within":null,"name":"","above":null,"below":null,"for":"0s","no_data_for":"10s"}],"sampling":{"tick":"1s","baseline":"5s","min_samples":3,"max_missing":"20%"}},"path":"checkout.yaml","text":"# the file as it was: \u00fcn\u00efcode, \u0000 and all\n","sha256":"abababababababababababababababababababababababababababababababab","seed":"seed","trigger":"cli","command":"chaoskit run checkout.yaml","runner":{"host":"h/00000000","user":"root","pid":4242,"pid_started":1.5,"version":"0.1.0","python":"3.11.7"},"started_at":"2026-03-01T12:00:00.123456Z","ended_at":95.25,"plan":{"experiment":{"apiVersion":"chaoskit/v1","kind":"Experiment","name":"checkout-survives","title":"Checkout keeps serving when one replica dies","description":"","owner":"","tags":[],"runbook":null,"prometheus":{"url":"http://127.0.0.1:9090","auth":{"bearer":"env:PROM_TOKEN","username":null,"password":null},"tls":{"ca_file":null,"cert_file":null,"key_file":null,"verify":true},"timeout":"5s"},"targets":{"web":{"docker":{"labels":{"app":"web"},"names":[],"image":null,"network":null,"compose":null,"host":null},"local":null},"proc":{"docker":null,"local":{"name":null,"cmdline":null,"pidfile":null,"port":8080}}},"steady_state":[{"at_least":"99%","at_most":null,"equals":null,"promql":"ratio","http":null,"tcp":null,"command":null,"range":{"last":"10s","step":"5s"},"reduce":"min","fresh_within":null,"name":"availability","during":null},{"at_least":null,"at_most":"300ms","equals":null,"promql":"p95","http":null,"tcp":null,"command":null,"range":null,"reduce":null,"fresh_within":null,"name":"latency","during":{"at_least":null,"at_most":"1s","equals":null,"allow_for":"2s"}},{"at_least":null,"at_most":null,"equals":null,"promql":null,"http":{"url":"http://127.0.0.1/","method":"GET","status":[200,204],"within":"1s","headers":{},"body":null,"body_contains":null,"auth":null,"tls":{"ca_file":null,"cert_file":null,"key_file":null,"verify":true}},"tcp":null,"command":null,"range":null,"reduce":null,"fresh_within":null,"name":"front page","during":null},{"at_least":null,"at_most":null,"equals":null,"promql":null,"http":null,"tcp":null,"command":{"run":["true","--x"],"status":0,"within":"10s"},"range":null,"reduce":null,"fresh_within":null,"name":"script","during":null}],"expect":{"recover_within":"30s","alerts":[{"alert":"Down","labels":{},"fires_within":"2m"}]},"faults":[{"kind":"instance.kill","target":"web","pick":"30%","pick_min":null,"duration":"1m","parameters":{"signal":"KILL"}},{"kind":"process.pause","target":"proc","pick":{"zone":"a"},"pick_min":null,"duration":"90s","parameters":{}}],"blast_radius":{"max_targets":2,"max_percent":"34%","min_healthy":1,"require_label":null},"abort_when":[{"promql":"errors","http":null,"tcp":null,"command":null,"range":null,"reduce":null,"fresh_within":null,"name":"","above":"0.2","below":null,"for":"3s","no_data_for":null},{"promql":null,"http":null,"tcp":null,"command":null,"range":null,"reduce":null,"fresh_within":null,"name":"","above":null,"below":null,"for":"0s","no_data_for":"10s"}],"sampling":{"tick":"1s","baseline":"5s","min_samples":3,"max_missing":"20%"}},"path":"checkout.yaml","sha256":"abababababababababababababababababababababababababababababababab","seed":"seed","groups":[{"group":"web","matched":[{"id":"docker://engine/web-1@c0ffee","name":"web-1","labels":{"app":"web"},"identity":"t0","healthy":true,"condition":"running","exclusion":""},{"id":"docker://engine/web-9@c0ffee","name":"web-9","labels":{"app":"web"},"identity":"t0","healthy":true,"condition":"running","exclusion":""}],"excluded":[{"name":"web-9","why":"protected by name (web-9)"}]}],"injections":[{"step":0,"kind":"instance.kill","group":"web","ref":{"id":"docker://engine/web-1@c0ffee","name":"web-1","labels":{"app":"web"},"identity":"t0","healthy":true,"condition":"running","exclusion":""},"duration":60.0,"actions":["kill web-1"],"undo":["start web-1"],"by_hand":["docker start web-1"],"revert_within":15.0}],"radius":[],"distinct":1,"latency":{"scrape":null,"evaluate":1.0,"held":3.0,"revert":15.0},"blocked":[]},"phases":[{"name":"plan","start":0.0,"end":1.0},{"name":"recovery","start":70.0,"end":95.0}],"blocked":[],"injections":[{"n":1,"step":0,"kind":"instance.kill","group":"web","target_id":"docker://engine/web-1@c0ffee","target":"web-1","tag":"chaoskit-r1-1","duration":60.0,"actions":["kill web-1"],"undo":["start web-1"],"by_hand":["docker start web-1"],"intended_at":2.0,"injected_at":2.5,"effect":{"bit":true,"requested":"dead","measured":"exited 137"},"error":"","drift":"","rollback_at":62.5,"restored_at":63.0,"attempts":1,"note":"started","residue":[]}],"abort":{"cause":"condition","reason":"errors above 0.2","at":12.5,"breached_at":9.5},"recovery":{"started_at":70.0,"limit":30.0,"recovered_at":80.5,"cut_short":false},"errors":["the disk was slow"]}');
CREATE TABLE schema_version (
	version INTEGER NOT NULL
);
INSERT INTO "schema_version" VALUES(1);
CREATE INDEX ix_journal_open ON journal (entry, run, n, seq);
CREATE INDEX ix_journal_run ON journal (run, seq);
CREATE INDEX ix_runs_started ON runs (started_at, run);
CREATE INDEX ix_runs_experiment ON runs (experiment, started_at);
CREATE INDEX ix_halts_active ON halts (released_at, scope);
CREATE INDEX ix_readings_run ON readings (run, seq);
CREATE INDEX ix_events_run ON events (run, seq);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('readings',5);
INSERT INTO "sqlite_sequence" VALUES('events',2);
INSERT INTO "sqlite_sequence" VALUES('journal',4);
INSERT INTO "sqlite_sequence" VALUES('halts',2);
COMMIT;
