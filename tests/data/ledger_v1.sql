-- A ledger of version 1, as a mirror of the demo left it (without its runs).
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES('annotations.test','1 51e2d6a199d296fde6473fd76179f234814ead03f98ca7c359725f43a9f6e6a2 e3b0c44298fc');
INSERT INTO meta VALUES('annotations.train','1 712adafab8f9e294b2a686b7f01f0f4154863f6d44a8e508193c396e997b152a fc3fd5f47316');
INSERT INTO meta VALUES('annotations.val','1 c0d4b836a9aa36747a076f7f664dd6e48036e1f724ea6d9d65b24ed3dd9bd09d e3b0c44298fc');
INSERT INTO meta VALUES('class_style','mmaction2');
INSERT INTO meta VALUES('manifest','/tmp/kdl-demo/demo.toml');
CREATE TABLE objects (
    id         INTEGER PRIMARY KEY,
    url        TEXT NOT NULL,
    name       TEXT NOT NULL,
    kind       TEXT NOT NULL CHECK (kind IN ('annotation', 'readme', 'shard', 'replacement')),
    split      TEXT NOT NULL DEFAULT '',      -- '' for what belongs to none
    idx        INTEGER NOT NULL DEFAULT 0,
    class_hint TEXT,
    size       INTEGER,
    etag       TEXT,
    sha256     TEXT,
    -- new: never read; partial: begun; done: read whole; broken: as the host has it, and not whole;
    -- failed: given up
    state      TEXT NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'partial', 'done', 'broken', 'failed')),
    proof      TEXT,
    clips      INTEGER,
    attempts   INTEGER NOT NULL DEFAULT 0,
    error      TEXT,
    updated_at REAL,
    UNIQUE (url, split)                       -- an archive may hold clips of several splits
) STRICT;
INSERT INTO objects VALUES(1,'https://kinetics.invalid/demo/annotations/train.csv','train.csv','annotation','train',0,NULL,1222,'"e7131468fa130d9b76e1565a8691c2a2"','712adafab8f9e294b2a686b7f01f0f4154863f6d44a8e508193c396e997b152a','done',NULL,NULL,0,NULL,1795255484.0824718474);
INSERT INTO objects VALUES(2,'https://kinetics.invalid/demo/train/abseiling.tar.gz','abseiling.tar.gz','shard','train',0,'abseiling',338570,'"384439ca8fc1b7f71c608fc440240966"','6bd170932daa99a1a633ae1c8cd46f87c9bff34752870236fa3f95357be86054','done','md5',8,1,NULL,1795255485.0460805892);
INSERT INTO objects VALUES(3,'https://kinetics.invalid/demo/train/driving%20car.tar.gz','driving car.tar.gz','shard','train',1,'driving car',348160,'"4fd2394f88d230005af1a955e1708275"','ed36a06bb9615c85657fd8687f61d46007a3df978ccd8bb9a97868a17cb10c12','done','md5',6,1,NULL,1795255485.5223426819);
INSERT INTO objects VALUES(4,'https://kinetics.invalid/demo/train/massaging%20person%27s%20head.tar.gz','massaging person''s head.tar.gz','shard','train',2,'massaging person''s head',299536,'"00516f8ef394e2e1749d258cd3437d0a"','f5d6d4270a84a3aeefcec7d14a33ba726fa4f9d687c37862c7975fa4f56e56f4','done','md5',6,1,NULL,1795255484.9140429496);
INSERT INTO objects VALUES(5,'https://kinetics.invalid/demo/train/tying%20knot%20%28not%20on%20a%20tie%29.tar.gz','tying knot (not on a tie).tar.gz','shard','train',3,'tying knot (not on a tie)',195631,'"bfad43538f73636adcfaa5cf30872ed0"','0fa8e0d0b4b73873a4ef44f72c6b9075630a35dc9a1ea8b5b89ad25bff2433e9','done','md5',4,1,NULL,1795255485.1180255413);
INSERT INTO objects VALUES(6,'https://kinetics.invalid/demo/annotations/val.csv','val.csv','annotation','val',0,NULL,448,'"41b1142431ffa92e52be2d83bbd2113d"','c0d4b836a9aa36747a076f7f664dd6e48036e1f724ea6d9d65b24ed3dd9bd09d','done',NULL,NULL,0,NULL,1795255484.0887589454);
INSERT INTO objects VALUES(7,'https://kinetics.invalid/demo/val/demo_val_001.tar.gz','demo_val_001.tar.gz','shard','val',0,'abseiling',108165,'"631b152af7f6287b4ffb3eb08d340067"','59ec2b13d6424fa163cc30d060884ed89f0f639ba7dc1f1478f02c1c822a1dd6','done','md5',2,1,NULL,1795255485.1142604351);
INSERT INTO objects VALUES(8,'https://kinetics.invalid/demo/val/demo_val_002.tar.gz','demo_val_002.tar.gz','shard','val',1,'driving car',134689,'"75624a39bf70d8c2fe3a5d536d613430"','af4f6d2be569f3425830f28305b6cb2cfb2325ba25ec5507bd7123ce09923590','done','md5',3,1,NULL,1795255485.4294452667);
INSERT INTO objects VALUES(9,'https://kinetics.invalid/demo/val/demo_val_003.tar.gz','demo_val_003.tar.gz','shard','val',2,'massaging person''s head',108208,'"3db5c915fb5f7f0e35199abf54ad8fd2"','f87642531586d2e6f7a8e42c07adde3db5307215992fc3e71c2fc748e2cae50e','done','md5',2,1,NULL,1795255485.264468193);
INSERT INTO objects VALUES(10,'https://kinetics.invalid/demo/val/demo_val_004.tar.gz','demo_val_004.tar.gz','shard','val',3,'tying knot (not on a tie)',108206,'"d11f6f3b8ef206b22999b6ae6e482cbc"','c6d923be4d13787ce9250360b81a9e69b35995166e40d1cd8201367134d5a2f1','done','md5',2,1,NULL,1795255485.3372144699);
INSERT INTO objects VALUES(11,'https://kinetics.invalid/demo/annotations/test.csv','test.csv','annotation','test',0,NULL,127,'"5ec734aee707d018018cd77e72e4d87d"','51e2d6a199d296fde6473fd76179f234814ead03f98ca7c359725f43a9f6e6a2','done',NULL,NULL,0,NULL,1795255484.0935721397);
INSERT INTO objects VALUES(12,'https://kinetics.invalid/demo/test/part_0.tar.gz','part_0.tar.gz','shard','test',0,NULL,108126,'"3738ce227c5ba37b6c25335527e310d2"','7485e82d25bc91deae596bc6a42c781e12279ae83eb2b873eb44d610236d2aea','done','md5',2,1,NULL,1795255485.5542597771);
INSERT INTO objects VALUES(13,'https://kinetics.invalid/demo/test/part_1.tar.gz','part_1.tar.gz','shard','test',1,NULL,29962,'"a4a90f4c0f772c09822afbe857aae459"','70b432cbd8f90632aa38b587e1ac60d4123bed6b977738cf25cf9bb36c8f4162','done','md5',2,1,NULL,1795255485.4902853966);
INSERT INTO objects VALUES(14,'https://kinetics.invalid/demo/readme.md','readme.md','readme','',0,NULL,48,'"3da3f0c89db57e4c06d51c09503c1296"','073c633006b0520ca3bd6388d760320a07729b0bad25420e003e3051db509cac','done',NULL,NULL,0,NULL,1795255484.0983796119);
INSERT INTO objects VALUES(15,'https://kinetics.invalid/demo/replacement_for_corrupted_demo.tgz','replacement_for_corrupted_demo.tgz','replacement','',0,NULL,171116,'"1798bc8d0bf225c92ffcf7a345e2b99f"','fde0a21ac973d6662c84a54f7c4915e03fac375350f5ec934861f1f304eb13db','done','md5',5,1,NULL,1795255484.165927887);
CREATE TABLE clips (
    id             INTEGER PRIMARY KEY,
    split          TEXT NOT NULL,
    youtube_id     TEXT NOT NULL,
    time_start     INTEGER NOT NULL,           -- -1 where names carry no times
    time_end       INTEGER NOT NULL,
    label          TEXT,                       -- the annotation's text
    listed         INTEGER NOT NULL DEFAULT 0, -- the load of annotations that listed it; 0: none
    class_dir      TEXT NOT NULL DEFAULT '',   -- '' in a split without labels
    name           TEXT,                       -- as hosted, extension included
    path           TEXT,                       -- NULL: no file on disk
    origin         TEXT CHECK (origin IN ('shard', 'replacement')),
    shard_id       INTEGER REFERENCES objects (id) ON DELETE SET NULL,
    seq            INTEGER,                    -- position among the shard's clips
    provisional    INTEGER NOT NULL DEFAULT 0, -- its shard is not proved whole (yet)
    size           INTEGER,
    mtime_ns       INTEGER,
    sha256         TEXT,
    verdict        TEXT NOT NULL CHECK (verdict IN ('ok', 'short', 'corrupt', 'missing', 'pending',
                                                    'unchecked', 'never_hosted', 'unlisted')),
    cause          TEXT,
    detail         TEXT,
    checked_at     REAL,
    check_level    TEXT CHECK (check_level IN ('stat', 'hash', 'probe', 'decode')),
    duration       REAL,
    width          INTEGER,
    height         INTEGER,
    fps            REAL,
    frames         INTEGER,
    vcodec         TEXT,
    acodec         TEXT,
    pix_fmt        TEXT,
    rotation       INTEGER,
    replaced_cause TEXT,                       -- why the shard's own clip was not good enough
    replaced_sha256 TEXT,                      -- digest of the shard's own clip
    UNIQUE (split, youtube_id, time_start, time_end)
) STRICT;
INSERT INTO clips VALUES(1,'train','-lead_dash0',12,15,'abseiling',1,'abseiling','-lead_dash0_000012_000015.mp4','videos/train/abseiling/-lead_dash0_000012_000015.mp4','shard',2,0,0,53415,1795255485030413243,'595d7c6d6a7efecf38baa6a98630988e8d547f7ba5a92bfb2b0dd9151cc0ffc3','ok',NULL,NULL,1795255485.2178399562,'probe',3.0,320,180,15.0,45,'h264','aac','yuv420p',0,NULL,NULL);
INSERT INTO clips VALUES(2,'train','under_score',0,3,'abseiling',1,'abseiling','under_score_000000_000003.mp4','videos/train/abseiling/under_score_000000_000003.mp4','shard',2,1,0,57810,1795255485036394362,'b79828bc207e79c0d693008e9a2b052ec04b984de50b4ba99b1863ffd38bf016','ok',NULL,NULL,1795255485.2279765606,'probe',3.0,320,240,15.0,45,'h264','aac','yuv420p',0,NULL,NULL);
INSERT INTO clips VALUES(3,'train','_tail_here_',7,10,'abseiling',1,'abseiling','_tail_here__000007_000010.mp4','videos/train/abseiling/_tail_here__000007_000010.mp4','shard',2,2,0,53415,1795255485036751943,'36fa414d40af1c4864f6d71010ae90adb297cedba768ebdcbc48668d150baee7','ok',NULL,NULL,1795255485.2311778068,'probe',3.0,320,180,15.0,45,'h264','aac','yuv420p',0,NULL,NULL);
INSERT INTO clips VALUES(4,'train','twice_taken',0,3,'abseiling',1,'abseiling','twice_taken_000000_000003.mp4','videos/train/abseiling/twice_taken_000000_000003.mp4','shard',2,3,0,53415,1795255485037625802,'a75d3138ee32b01ca9533b77fac7be7c477dbf568fa1dff50e365acb7e8882fd','ok',NULL,NULL,1795255485.2341656684,'probe',3.0,320,180,15.0,45,'h264','aac','yuv420p',0,NULL,NULL);
INSERT INTO clips VALUES(5,'train','twice_taken',30,33,'abseiling',1,'abseiling','twice_taken_000030_000033.mp4','videos/train/abseiling/twice_taken_000030_000033.mp4','shard',2,4,0,57810,1795255485039028516,'9d9956c66b4dfeeee4b7ba7f7467265eb601bc0e1c99cbe6db7a5f517f7920c1','ok',NULL,NULL,1795255485.2374134063,'probe',3.0,320,240,15.0,45,'h264','aac','yuv420p',0,NULL,NULL);
INSERT INTO clips VALUES(6,'train','CaseMatters',5,8,'abseiling',1,'abseiling','CaseMatters_000005_000008.mp4','videos/train/abseiling/CaseMatters_000005_000008.mp4','shard',2,5,0,53415,1795255485040406134,'d9da3f3b040ce84f4c502033cdb03b73278e9267a38faa7e825ac16bc99d512e','ok',NULL,NULL,1795255485.2403082847,'probe',3.0,320,180,15.0,45,'h264','aac','yuv420p',0,NULL,NULL);
INSERT INTO clips VALUES(7,'train','shorter_one',9,12,'abseiling',1,'abseiling','shorter_one_000009_000012.mp4','videos/train/abseiling/shorter_one_000009_000012.mp4','shard',2,6,0,19814,1795255485040768562,'faea5f676e40ac11379f470766d294c6432e5581a69cbc709c081c5d07691200','short',NULL,'1.00 s, its name says 3 s',1795255485.419352293,'probe',1.0,320,180,15.0,15,'h264','aac','yuv420p',0,NULL,NULL);
INSERT INTO clips VALUES(8,'train','zeroBytes01',41,44,'abseiling',1,'abseiling','zeroBytes01_000041_000044.mp4','videos/train/abseiling/zeroBytes01_000041_000044.mp4','replacement',2,7,0,53415,1795255484129693632,'d83641af458adb5d26d37bef0fde8539290eb8e1e236a2723c4fe9ff748c82b7','ok',NULL,NULL,1795255485.0472178458,'probe',3.0,320,180,15.0,45,'h264','aac','yuv420p',0,'zero_bytes','e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
INSERT INTO clips VALUES(9,'train','neverHosted',8,11,'abseiling',1,'abseiling',NULL,NULL,NULL,NULL,NULL,0,NULL,NULL,NULL,'never_hosted',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO clips VALUES(10,'train','knownAbsent',8,11,'abseiling',1,'abseiling',NULL,NULL,NULL,NULL,NULL,0,NULL,NULL,NULL,'never_hosted',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO clips VALUES(11,'train','caseMatters',5,8,'driving car',1,'driving_car','caseMatters_000005_000008.mp4','videos/train/driving_car/caseMatters_000005_000008.mp4','shard',3,0,0,57810,1795255484778198382,'bc9119a85e5730f9214e3969eb346b90bf1d4a671f34d51e9f20a7d9fb18c088','ok',NULL,NULL,1795255486.5066075325,'probe',3.0,320,240,15.0,45,'h264','aac','yuv420p',0,NULL,NULL);
INSERT INTO clips VALUES(12,'train','dashInTh-id',3,6,'driving car',1,'driving_car','dashInTh-id_000003_000006.mp4','videos/train/driving_car/dashInTh-id_000003_000006.mp4','shard',3,1,0,53415,1795255484780077254,'25f8ff94d165d58dc7b2413c76629c9e25d8222b41658b6992b3836978b061f4','ok',NULL,NULL,1795255486.5099298954,'probe',3.0,320,180,15.0,45,'h264','aac','yuv420p',0,NULL,NULL);
INSERT INTO clips VALUES(13,'train','portrait_01',20,23,'driving car',1,'driving_car','portrait_01_000020_000023.mp4','videos/train/driving_car/portrait_01_000020_000023.mp4','shard',3,2,0,62008,1795255485510413254,'cd6b397edd920e119fbb10022f3c0995fd9f56c5163b6adf67047823eb792248','ok',NULL,NULL,1795255486.5132386683,'probe',3.0,180,320,25.0,75,'h264','aac','yuv420p',0,NULL,NULL);
INSERT INTO clips VALUES(14,'train','silent_clip',100,103,'driving car',1,'driving_car','silent_clip_000100_000103.mp4','videos/train/driving_car/silent_clip_000100_000103.mp4','shard',3,3,0,12817,1795255485516206812,'2859f1e206afe23656223aa123cf75ec1754d38475ced8040087a7f44c9e1510','ok',NULL,NULL,1795255486.7189514637,'probe',3.0,176,100,15.0,45,'h264',NULL,'yuv420p',0,NULL,NULL);
INSERT INTO clips VALUES(15,'train','twoCopies_1',2,5,'driving car',1,'driving_car','twoCopies_1_000002_000005.mp4','videos/train/driving_car/twoCopies_1_000002_000005.mp4','shard',3,4,0,53415,1795255485516717761,'60db86b9a785bc137d1fb55f7a6d39eecc9543d4e5a3e3891105bdb67b703082','ok',NULL,NULL,1795255486.7220857142,'probe',3.0,320,180,15.0,45,'h264','aac','yuv420p',0,NULL,NULL);
INSERT INTO clips VALUES(16,'train','noMoovAtAll',15,18,'driving car',1,'driving_car','noMoovAtAll_000015_000018.mp4','.kdl/quarantine/train/driving_car/noMoovAtAll_000015_000018.mp4','shard',3,5,0,37708,1795255485517105388,'7048f2aedabf031353c7844a082e8d484c21ad69704694397a44b2a4ced6968c','corrupt','moov_missing','no whole moov box: the index of the mp4 file is missing',1795255486.7952256203,'probe',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0,NULL,NULL);
INSERT INTO clips VALUES(17,'train','plainClip_1',1,4,'massaging person''s head',1,'massaging_person''s_head','plainClip_1_000001_000004.mp4','videos/train/massaging_person''s_head/plainClip_1_000001_000004.mp4','shard',4,1,0,53415,1795255484895966014,'545d53db5aa1dce3507c3d7bfc5e50dc3520a3aac34e35666f037c86a0b07ba2','ok',NULL,NULL,1795255484.914164543,'probe',3.0,320,180,15.0,45,'h264','aac','yuv420p',0,NULL,NULL);
INSERT INTO clips VALUES(18,'train','plainClip_2',2,5,'massaging person''s head',1,'massaging_person''s_head','plainClip_2_000002_000005.mp4','videos/train/massaging_person''s_head/plainClip_2_000002_000005.mp4','shard',4,2,0,12817,1795255484896277297,'93ca5814e1b1018ee7c63e7cd9d9ed8b172b5a6ca3e7627d2fcf72ca124b633a','ok',NULL,NULL,1795255484.9169094562,'probe',3.0,176,100,15.0,45,'h264',NULL,'yuv420p',0,NULL,NULL);
INSERT INTO clips VALUES(19,'train','secondSound',3,6,'massaging person''s head',1,'massaging_person''s_head','secondSound_000003_000006.mp4','videos/train/massaging_person''s_head/secondSound_000003_000006.mp4','shard',4,3,0,57810,1795255484896506387,'90bdf967b7118e1308f116cf18bdf1cffbe794215e14937a790d2bec9d6b8fbc','ok',NULL,NULL,1795255487.0623557568,'probe',3.0,320,240,15.0,45,'h264','aac','yuv420p',0,NULL,NULL);
INSERT INTO clips VALUES(20,'train','soundOnly-1',4,7,'massaging person''s head',1,'massaging_person''s_head','soundOnly-1_000004_000007.mp4','videos/train/massaging_person''s_head/soundOnly-1_000004_000007.mp4','replacement',4,4,0,57810,1795255484132197863,'15669264ce5435189c5527353789a9c93e7ff7f061726ed00f0c11ef585ddd71','ok',NULL,NULL,1795255485.0386288166,'probe',3.0,320,240,15.0,45,'h264','aac','yuv420p',0,'no_video','db4b43efc8026484a0e409374e60f4d2952d2ed87eebce08ac700107eae48f7c');
INSERT INTO clips VALUES(21,'train','notAVideo01',5,8,'massaging person''s head',1,'massaging_person''s_head','notAVideo01_000005_000008.mp4','.kdl/quarantine/train/massaging_person''s_head/notAVideo01_000005_000008.mp4','shard',4,5,0,80,1795255484898674739,'140680301cb8e35d15b373c4ec0038ac96b2b55c5e5cabe3fee1daa65ef3edff','corrupt','not_a_video','does not begin like any video file',1795255485.1438925266,'probe',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0,NULL,NULL);
INSERT INTO clips VALUES(22,'train','plainClip_3',3,6,'tying knot (not on a tie)',1,'tying_knot_(not_on_a_tie)','plainClip_3_000003_000006.mp4','videos/train/tying_knot_(not_on_a_tie)/plainClip_3_000003_000006.mp4','shard',5,0,0,53415,1795255485106842924,'13074bd6dfe8f0431125108904ac6063e7052f663da6ef34fa1bf1d3060761fc','ok',NULL,NULL,1795255485.428242445,'probe',3.0,320,180,15.0,45,'h264','aac','yuv420p',0,NULL,NULL);
INSERT INTO clips VALUES(23,'train','-_-_-_-_-_-',4,7,'tying knot (not on a tie)',1,'tying_knot_(not_on_a_tie)','-_-_-_-_-_-_000004_000007.mp4','videos/train/tying_knot_(not_on_a_tie)/-_-_-_-_-_-_000004_000007.mp4','shard',5,1,0,57810,1795255485107007058,'5fa70553956d234368896d0162028b77e702a5a82992dbfada82e4b14b6172ea','ok',NULL,NULL,1795255485.4335529804,'probe',3.0,320,240,15.0,45,'h264','aac','yuv420p',0,NULL,NULL);
INSERT INTO clips VALUES(24,'train','portrait_02',5,8,'tying knot (not on a tie)',1,'tying_knot_(not_on_a_tie)','portrait_02_000005_000008.mp4','videos/train/tying_knot_(not_on_a_tie)/portrait_02_000005_000008.mp4','shard',5,2,0,62008,1795255485108013704,'725c94434d63b268f51f23a9dfc789566bf085ac04249c270b2a5ead35a572d7','ok',NULL,NULL,1795255485.4379138946,'probe',3.0,180,320,25.0,75,'h264','aac','yuv420p',0,NULL,NULL);
INSERT INTO clips VALUES(25,'train','truncatedMp',6,9,'tying knot (not on a tie)',1,'tying_knot_(not_on_a_tie)','truncatedMp_000006_000009.mp4','videos/train/tying_knot_(not_on_a_tie)/truncatedMp_000006_000009.mp4','replacement',5,3,0,12817,1795255484133108296,'430921c60160a8ae930f657900fa27bbf4132f30f55c174405a35756a650a4ef','ok',NULL,NULL,1795255485.6709804535,'probe',3.0,176,100,15.0,45,'h264',NULL,'yuv420p',0,'truncated','13decea959dc188b28fe67aed63905c9d965b92c17cd702bc1c875399cdd4a40');
INSERT INTO clips VALUES(26,'train','onlyMended1',7,10,'tying knot (not on a tie)',1,'tying_knot_(not_on_a_tie)','onlyMended1_000007_000010.mp4','videos/train/tying_knot_(not_on_a_tie)/onlyMended1_000007_000010.mp4','replacement',NULL,NULL,0,53415,1795255484133403675,'1cb0120125167669e5796aa6eecd5c8c41649aca483b508628698e0b143222ab','ok',NULL,NULL,1795255487.0644185543,'probe',3.0,320,180,15.0,45,'h264','aac','yuv420p',0,'never_hosted',NULL);
INSERT INTO clips VALUES(27,'val','valClip_0_a',0,3,'abseiling',1,'abseiling','valClip_0_a_000000_000003.mp4','videos/val/abseiling/valClip_0_a_000000_000003.mp4','shard',7,0,0,53413,1795255485098413245,'8d53e30daaf8c9f9dc7f9e6af51ad2f720a0d838d9e44d0988b4aabb70ba4498','ok',NULL,NULL,1795255485.5902163982,'probe',3.0,320,180,15.0,45,'h264','aac','yuv420p',0,NULL,NULL);
INSERT INTO clips VALUES(28,'val','valClip_1_a',10,13,'driving car',1,'driving_car','valClip_1_a_000010_000013.mp4','videos/val/driving_car/valClip_1_a_000010_000013.mp4','shard',8,0,0,53413,1795255485421483345,'5d4c2c9911ad3bdbf22d9682efe152243c723d319054deed9f8065660870d35d','ok',NULL,NULL,1795255485.8188483715,'probe',3.0,320,180,15.0,45,'h264','aac','yuv420p',0,NULL,NULL);
INSERT INTO clips VALUES(29,'val','valClip_2_a',20,23,'massaging person''s head',1,'massaging_person''s_head','valClip_2_a_000020_000023.mp4','videos/val/massaging_person''s_head/valClip_2_a_000020_000023.mp4','shard',9,0,0,53413,1795255485259558923,'f38686acd878192232f42bed04e811986f7bee3baf06b07a57db23ac50d9c516','ok',NULL,NULL,1795255486.0461065769,'probe',3.0,320,180,15.0,45,'h264','aac','yuv420p',0,NULL,NULL);
INSERT INTO clips VALUES(30,'val','valClip_3_a',30,33,'tying knot (not on a tie)',1,'tying_knot_(not_on_a_tie)','valClip_3_a_000030_000033.mp4','videos/val/tying_knot_(not_on_a_tie)/valClip_3_a_000030_000033.mp4','shard',10,0,0,53413,1795255485332241575,'be5d662fed7c370776caca2b95f8584a43605c4f3da9f2b4df49d5bdea043b7f','ok',NULL,NULL,1795255486.2738344669,'probe',3.0,320,180,15.0,45,'h264','aac','yuv420p',0,NULL,NULL);
INSERT INTO clips VALUES(31,'val','valClip_0_b',0,3,'abseiling',1,'abseiling','valClip_0_b_000000_000003.mp4','videos/val/abseiling/valClip_0_b_000000_000003.mp4','shard',7,1,0,57808,1795255485103539485,'e9ebcb6d69e562e512b0118a3bcbf5077a51165639a2846a01ddf9086d9f8bcb','ok',NULL,NULL,1795255485.8181891441,'probe',3.0,320,240,15.0,45,'h264','aac','yuv420p',0,NULL,NULL);
INSERT INTO clips VALUES(32,'val','valClip_1_b',10,13,'driving car',1,'driving_car','valClip_1_b_000010_000013.mp4','videos/val/driving_car/valClip_1_b_000010_000013.mp4','shard',8,1,0,57808,1795255485423172215,'0c44520019afbc477c413f001d736c24c5de3b0799bdf8af384f9e5a96ffa310','ok',NULL,NULL,1795255485.8219616413,'probe',3.0,320,240,15.0,45,'h264','aac','yuv420p',0,NULL,NULL);
INSERT INTO clips VALUES(33,'val','valClip_2_b',20,23,'massaging person''s head',1,'massaging_person''s_head','valClip_2_b_000020_000023.mp4','videos/val/massaging_person''s_head/valClip_2_b_000020_000023.mp4','shard',9,1,0,57808,1795255485261463994,'40b331f83b283df33c8ec2fd492829e981eb8403c42366471a44a7d96e25cf2e','ok',NULL,NULL,1795255486.049467802,'probe',3.0,320,240,15.0,45,'h264','aac','yuv420p',0,NULL,NULL);
INSERT INTO clips VALUES(34,'val','valClip_3_b',30,33,'tying knot (not on a tie)',1,'tying_knot_(not_on_a_tie)','valClip_3_b_000030_000033.mp4','videos/val/tying_knot_(not_on_a_tie)/valClip_3_b_000030_000033.mp4','shard',10,1,0,57808,1795255485333768795,'abf699232bb0a6a0030af886e775752cb1d806de4d7ca458ec9f948c74904762','ok',NULL,NULL,1795255486.2747507095,'probe',3.0,320,240,15.0,45,'h264','aac','yuv420p',0,NULL,NULL);
INSERT INTO clips VALUES(35,'val','valCutShort',21,24,'driving car',1,'driving_car','valCutShort_000021_000024.mp4','.kdl/quarantine/val/driving_car/valCutShort_000021_000024.mp4','shard',8,2,0,28196,1795255485423466453,'13decea959dc188b28fe67aed63905c9d965b92c17cd702bc1c875399cdd4a40','corrupt','truncated','22 of 45 promised frames are there',1795255486.0411899089,'probe',3.0,320,180,15.0,22,'h264','aac','yuv420p',0,NULL,NULL);
INSERT INTO clips VALUES(36,'test','testClip_01',0,3,NULL,1,'','testClip_01_000000_000003.mp4','videos/test/testClip_01_000000_000003.mp4','shard',12,0,0,53414,1795255485544586897,'70f489614ce27d0fc64e5342bffaa9306c6dbfa3324269249851a8bca31439fb','ok',NULL,NULL,1795255486.2774374485,'probe',3.0,320,180,15.0,45,'h264','aac','yuv420p',0,NULL,NULL);
INSERT INTO clips VALUES(37,'test','-testClip02',11,14,NULL,1,'','-testClip02_000011_000014.mp4','videos/test/-testClip02_000011_000014.mp4','shard',12,1,0,57809,1795255485546413255,'a9bee5b6258dd89a0171c278d82b40087db265c52e239e6e681aa5043e59d685','ok',NULL,NULL,1795255486.3086118698,'probe',3.0,320,240,15.0,45,'h264','aac','yuv420p',0,NULL,NULL);
INSERT INTO clips VALUES(38,'test','testClip_03',22,25,NULL,1,'','testClip_03_000022_000025.mp4','videos/test/testClip_03_000022_000025.mp4','shard',13,0,0,19813,1795255485485603453,'c5c8f3221ecfcfe200f8e55ff09fa80b1c9e2fdd1c2d59bac1924e75bdc91edb','short',NULL,'1.00 s, its name says 3 s',1795255486.4563469886,'probe',1.0,320,180,15.0,15,'h264','aac','yuv420p',0,NULL,NULL);
INSERT INTO clips VALUES(39,'test','testClip_04',33,36,NULL,1,'','testClip_04_000033_000036.mp4','videos/test/testClip_04_000033_000036.mp4','shard',13,1,0,12816,1795255485486616188,'862cbe0ad785b62d3434830b149fd9d233fda30e3eb1e456a510d71ae7a99887','ok',NULL,NULL,1795255486.4601781368,'probe',3.0,176,100,15.0,45,'h264',NULL,'yuv420p',0,NULL,NULL);
INSERT INTO clips VALUES(40,'train','inNoListing',6,9,NULL,0,'massaging_person''s_head','inNoListing_000006_000009.mp4','unlisted/train/inNoListing_000006_000009.mp4','shard',4,6,0,53415,1795255484898877591,'5a0769ff51dc18486ca2ec9f5730bdda282267e227d4ea4bb6cb45d60751483f','unlisted',NULL,NULL,1795255485.1510760784,'probe',3.0,320,180,15.0,45,'h264','aac','yuv420p',0,NULL,NULL);
CREATE TABLE duplicates (
    clip_id  INTEGER NOT NULL REFERENCES clips (id) ON DELETE CASCADE,
    shard_id INTEGER NOT NULL REFERENCES objects (id) ON DELETE CASCADE,
    seq      INTEGER NOT NULL,
    class_dir TEXT NOT NULL,
    path     TEXT NOT NULL,
    size     INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    sha256   TEXT NOT NULL,
    PRIMARY KEY (clip_id, shard_id, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE held (
    clip_id  INTEGER NOT NULL REFERENCES clips (id) ON DELETE CASCADE,
    shard_id INTEGER NOT NULL REFERENCES objects (id) ON DELETE CASCADE,
    PRIMARY KEY (clip_id, shard_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE replacements (
    id         INTEGER PRIMARY KEY,
    youtube_id TEXT NOT NULL,
    time_start INTEGER NOT NULL,
    time_end   INTEGER NOT NULL,
    object_id  INTEGER NOT NULL REFERENCES objects (id),
    name       TEXT NOT NULL,
    path       TEXT NOT NULL,
    size       INTEGER NOT NULL,
    mtime_ns   INTEGER NOT NULL,
    sha256     TEXT NOT NULL,
    verdict    TEXT NOT NULL DEFAULT 'unchecked' CHECK (verdict IN ('ok', 'short', 'corrupt', 'unchecked')),
    cause      TEXT,
    detail     TEXT,
    check_level TEXT CHECK (check_level IN ('probe', 'decode')),
    facts      TEXT,                           -- JSON
    UNIQUE (youtube_id, time_start, time_end)
) STRICT;
INSERT INTO replacements VALUES(1,'zeroBytes01',41,44,15,'zeroBytes01_000041_000044.mp4','.kdl/replacements/zeroBytes01_000041_000044.mp4',53415,1795255484129693632,'d83641af458adb5d26d37bef0fde8539290eb8e1e236a2723c4fe9ff748c82b7','ok',NULL,'','probe','{"size": 53415, "duration": 3.0, "width": 320, "height": 180, "fps": 15.0, "frames": 45, "vcodec": "h264", "acodec": "aac", "pix_fmt": "yuv420p", "rotation": 0, "promised_frames": 45, "packets": 45, "first_picture": true, "errors": [], "prober": "pyav"}');
INSERT INTO replacements VALUES(2,'soundOnly-1',4,7,15,'soundOnly-1_000004_000007.mp4','.kdl/replacements/soundOnly-1_000004_000007.mp4',57810,1795255484132197863,'15669264ce5435189c5527353789a9c93e7ff7f061726ed00f0c11ef585ddd71','ok',NULL,'','probe','{"size": 57810, "duration": 3.0, "width": 320, "height": 240, "fps": 15.0, "frames": 45, "vcodec": "h264", "acodec": "aac", "pix_fmt": "yuv420p", "rotation": 0, "promised_frames": 45, "packets": 45, "first_picture": true, "errors": [], "prober": "pyav"}');
INSERT INTO replacements VALUES(3,'notAVideo01',5,8,15,'notAVideo01_000005_000008.mp4','.kdl/replacements/notAVideo01_000005_000008.mp4',0,1795255484132815571,'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855','corrupt','zero_bytes','the file is empty','probe','{"size": 0, "duration": null, "width": null, "height": null, "fps": null, "frames": null, "vcodec": null, "acodec": null, "pix_fmt": null, "rotation": 0, "promised_frames": null, "packets": null, "first_picture": false, "errors": [], "prober": ""}');
INSERT INTO replacements VALUES(4,'truncatedMp',6,9,15,'truncatedMp_000006_000009.mp4','.kdl/replacements/truncatedMp_000006_000009.mp4',12817,1795255484133108296,'430921c60160a8ae930f657900fa27bbf4132f30f55c174405a35756a650a4ef','ok',NULL,'','probe','{"size": 12817, "duration": 3.0, "width": 176, "height": 100, "fps": 15.0, "frames": 45, "vcodec": "h264", "acodec": null, "pix_fmt": "yuv420p", "rotation": 0, "promised_frames": 45, "packets": 45, "first_picture": true, "errors": [], "prober": "pyav"}');
INSERT INTO replacements VALUES(5,'onlyMended1',7,10,15,'onlyMended1_000007_000010.mp4','.kdl/replacements/onlyMended1_000007_000010.mp4',53415,1795255484133403675,'1cb0120125167669e5796aa6eecd5c8c41649aca483b508628698e0b143222ab','ok',NULL,'','probe','{"size": 53415, "duration": 3.0, "width": 320, "height": 180, "fps": 15.0, "frames": 45, "vcodec": "h264", "acodec": "aac", "pix_fmt": "yuv420p", "rotation": 0, "promised_frames": 45, "packets": 45, "first_picture": true, "errors": [], "prober": "pyav"}');
CREATE TABLE derivatives (
    clip_id     INTEGER NOT NULL REFERENCES clips (id) ON DELETE CASCADE,
    recipe      TEXT NOT NULL,
    fingerprint TEXT NOT NULL,                 -- of the recipe's settings
    clip_sha256 TEXT NOT NULL,                 -- of the clip it was made from
    state       TEXT NOT NULL CHECK (state IN ('done', 'failed')),
    path        TEXT NOT NULL,                 -- relative to the recipe's folder
    bytes       INTEGER NOT NULL DEFAULT 0,
    frames      INTEGER,
    error       TEXT,
    made_at     REAL NOT NULL,
    PRIMARY KEY (clip_id, recipe)
) STRICT, WITHOUT ROWID;
INSERT INTO derivatives VALUES(1,'320p','1150d727ed219b35','595d7c6d6a7efecf38baa6a98630988e8d547f7ba5a92bfb2b0dd9151cc0ffc3','done','train/abseiling/-lead_dash0_000012_000015.mp4',175963,45,NULL,1795255486.7905187606);
INSERT INTO derivatives VALUES(1,'rawframes-256','ba85e6abb7b8566f','595d7c6d6a7efecf38baa6a98630988e8d547f7ba5a92bfb2b0dd9151cc0ffc3','done','train/abseiling/-lead_dash0_000012_000015',1040586,45,NULL,1795255486.7905223369);
INSERT INTO derivatives VALUES(2,'320p','1150d727ed219b35','b79828bc207e79c0d693008e9a2b052ec04b984de50b4ba99b1863ffd38bf016','done','train/abseiling/under_score_000000_000003.mp4',147782,45,NULL,1795255486.7905254364);
INSERT INTO derivatives VALUES(2,'rawframes-256','ba85e6abb7b8566f','b79828bc207e79c0d693008e9a2b052ec04b984de50b4ba99b1863ffd38bf016','done','train/abseiling/under_score_000000_000003',1094494,45,NULL,1795255486.7905287741);
INSERT INTO derivatives VALUES(3,'320p','1150d727ed219b35','36fa414d40af1c4864f6d71010ae90adb297cedba768ebdcbc48668d150baee7','done','train/abseiling/_tail_here__000007_000010.mp4',175963,45,NULL,1795255486.7905318737);
INSERT INTO derivatives VALUES(3,'rawframes-256','ba85e6abb7b8566f','36fa414d40af1c4864f6d71010ae90adb297cedba768ebdcbc48668d150baee7','done','train/abseiling/_tail_here__000007_000010',1040586,45,NULL,1795255486.7905354499);
INSERT INTO derivatives VALUES(4,'320p','1150d727ed219b35','a75d3138ee32b01ca9533b77fac7be7c477dbf568fa1dff50e365acb7e8882fd','done','train/abseiling/twice_taken_000000_000003.mp4',175963,45,NULL,1795255486.7905383109);
INSERT INTO derivatives VALUES(4,'rawframes-256','ba85e6abb7b8566f','a75d3138ee32b01ca9533b77fac7be7c477dbf568fa1dff50e365acb7e8882fd','done','train/abseiling/twice_taken_000000_000003',1040586,45,NULL,1795255486.7905414104);
INSERT INTO derivatives VALUES(5,'320p','1150d727ed219b35','9d9956c66b4dfeeee4b7ba7f7467265eb601bc0e1c99cbe6db7a5f517f7920c1','done','train/abseiling/twice_taken_000030_000033.mp4',147782,45,NULL,1795255488.9089052677);
INSERT INTO derivatives VALUES(5,'rawframes-256','ba85e6abb7b8566f','9d9956c66b4dfeeee4b7ba7f7467265eb601bc0e1c99cbe6db7a5f517f7920c1','done','train/abseiling/twice_taken_000030_000033',1094494,45,NULL,1795255488.9089331626);
INSERT INTO derivatives VALUES(6,'320p','1150d727ed219b35','d9da3f3b040ce84f4c502033cdb03b73278e9267a38faa7e825ac16bc99d512e','done','train/abseiling/CaseMatters_000005_000008.mp4',175963,45,NULL,1795255488.9089395999);
INSERT INTO derivatives VALUES(6,'rawframes-256','ba85e6abb7b8566f','d9da3f3b040ce84f4c502033cdb03b73278e9267a38faa7e825ac16bc99d512e','done','train/abseiling/CaseMatters_000005_000008',1040586,45,NULL,1795255488.908943653);
INSERT INTO derivatives VALUES(7,'320p','1150d727ed219b35','faea5f676e40ac11379f470766d294c6432e5581a69cbc709c081c5d07691200','done','train/abseiling/shorter_one_000009_000012.mp4',61061,15,NULL,1795255488.9089472294);
INSERT INTO derivatives VALUES(7,'rawframes-256','ba85e6abb7b8566f','faea5f676e40ac11379f470766d294c6432e5581a69cbc709c081c5d07691200','done','train/abseiling/shorter_one_000009_000012',332561,15,NULL,1795255488.9089505672);
INSERT INTO derivatives VALUES(8,'320p','1150d727ed219b35','d83641af458adb5d26d37bef0fde8539290eb8e1e236a2723c4fe9ff748c82b7','done','train/abseiling/zeroBytes01_000041_000044.mp4',175963,45,NULL,1795255486.7905116081);
INSERT INTO derivatives VALUES(8,'rawframes-256','ba85e6abb7b8566f','d83641af458adb5d26d37bef0fde8539290eb8e1e236a2723c4fe9ff748c82b7','done','train/abseiling/zeroBytes01_000041_000044',1040586,45,NULL,1795255486.7905154228);
INSERT INTO derivatives VALUES(11,'320p','1150d727ed219b35','bc9119a85e5730f9214e3969eb346b90bf1d4a671f34d51e9f20a7d9fb18c088','done','train/driving_car/caseMatters_000005_000008.mp4',147782,45,NULL,1795255489.6825108528);
INSERT INTO derivatives VALUES(11,'rawframes-256','ba85e6abb7b8566f','bc9119a85e5730f9214e3969eb346b90bf1d4a671f34d51e9f20a7d9fb18c088','done','train/driving_car/caseMatters_000005_000008',1094494,45,NULL,1795255489.6825165748);
INSERT INTO derivatives VALUES(12,'320p','1150d727ed219b35','25f8ff94d165d58dc7b2413c76629c9e25d8222b41658b6992b3836978b061f4','done','train/driving_car/dashInTh-id_000003_000006.mp4',175963,45,NULL,1795255489.6825211048);
INSERT INTO derivatives VALUES(12,'rawframes-256','ba85e6abb7b8566f','25f8ff94d165d58dc7b2413c76629c9e25d8222b41658b6992b3836978b061f4','done','train/driving_car/dashInTh-id_000003_000006',1040586,45,NULL,1795255489.6825253963);
INSERT INTO derivatives VALUES(13,'320p','1150d727ed219b35','cd6b397edd920e119fbb10022f3c0995fd9f56c5163b6adf67047823eb792248','done','train/driving_car/portrait_01_000020_000023.mp4',178179,75,NULL,1795255489.6825296879);
INSERT INTO derivatives VALUES(13,'rawframes-256','ba85e6abb7b8566f','cd6b397edd920e119fbb10022f3c0995fd9f56c5163b6adf67047823eb792248','done','train/driving_car/portrait_01_000020_000023',2023787,75,NULL,1795255489.6825342178);
INSERT INTO derivatives VALUES(14,'320p','1150d727ed219b35','2859f1e206afe23656223aa123cf75ec1754d38475ced8040087a7f44c9e1510','done','train/driving_car/silent_clip_000100_000103.mp4',109718,45,NULL,1795255489.932611227);
INSERT INTO derivatives VALUES(14,'rawframes-256','ba85e6abb7b8566f','2859f1e206afe23656223aa123cf75ec1754d38475ced8040087a7f44c9e1510','done','train/driving_car/silent_clip_000100_000103',1035271,45,NULL,1795255489.9326412678);
INSERT INTO derivatives VALUES(15,'320p','1150d727ed219b35','60db86b9a785bc137d1fb55f7a6d39eecc9543d4e5a3e3891105bdb67b703082','done','train/driving_car/twoCopies_1_000002_000005.mp4',175963,45,NULL,1795255489.9326484203);
INSERT INTO derivatives VALUES(15,'rawframes-256','ba85e6abb7b8566f','60db86b9a785bc137d1fb55f7a6d39eecc9543d4e5a3e3891105bdb67b703082','done','train/driving_car/twoCopies_1_000002_000005',1040586,45,NULL,1795255489.9326837062);
INSERT INTO derivatives VALUES(17,'320p','1150d727ed219b35','545d53db5aa1dce3507c3d7bfc5e50dc3520a3aac34e35666f037c86a0b07ba2','done','train/massaging_person''s_head/plainClip_1_000001_000004.mp4',175963,45,NULL,1795255486.7904632091);
INSERT INTO derivatives VALUES(17,'rawframes-256','ba85e6abb7b8566f','545d53db5aa1dce3507c3d7bfc5e50dc3520a3aac34e35666f037c86a0b07ba2','done','train/massaging_person''s_head/plainClip_1_000001_000004',1040586,45,NULL,1795255486.7904872894);
INSERT INTO derivatives VALUES(18,'320p','1150d727ed219b35','93ca5814e1b1018ee7c63e7cd9d9ed8b172b5a6ca3e7627d2fcf72ca124b633a','done','train/massaging_person''s_head/plainClip_2_000002_000005.mp4',109718,45,NULL,1795255486.7904946803);
INSERT INTO derivatives VALUES(18,'rawframes-256','ba85e6abb7b8566f','93ca5814e1b1018ee7c63e7cd9d9ed8b172b5a6ca3e7627d2fcf72ca124b633a','done','train/massaging_person''s_head/plainClip_2_000002_000005',1035271,45,NULL,1795255486.7904992104);
INSERT INTO derivatives VALUES(19,'320p','1150d727ed219b35','90bdf967b7118e1308f116cf18bdf1cffbe794215e14937a790d2bec9d6b8fbc','done','train/massaging_person''s_head/secondSound_000003_000006.mp4',147782,45,NULL,1795255489.9423511028);
INSERT INTO derivatives VALUES(19,'rawframes-256','ba85e6abb7b8566f','90bdf967b7118e1308f116cf18bdf1cffbe794215e14937a790d2bec9d6b8fbc','done','train/massaging_person''s_head/secondSound_000003_000006',1094494,45,NULL,1795255489.9423797131);
INSERT INTO derivatives VALUES(20,'320p','1150d727ed219b35','15669264ce5435189c5527353789a9c93e7ff7f061726ed00f0c11ef585ddd71','done','train/massaging_person''s_head/soundOnly-1_000004_000007.mp4',147782,45,NULL,1795255486.7905039787);
INSERT INTO derivatives VALUES(20,'rawframes-256','ba85e6abb7b8566f','15669264ce5435189c5527353789a9c93e7ff7f061726ed00f0c11ef585ddd71','done','train/massaging_person''s_head/soundOnly-1_000004_000007',1094494,45,NULL,1795255486.7905082701);
INSERT INTO derivatives VALUES(22,'320p','1150d727ed219b35','13074bd6dfe8f0431125108904ac6063e7052f663da6ef34fa1bf1d3060761fc','done','train/tying_knot_(not_on_a_tie)/plainClip_3_000003_000006.mp4',175963,45,NULL,1795255488.9089536666);
INSERT INTO derivatives VALUES(22,'rawframes-256','ba85e6abb7b8566f','13074bd6dfe8f0431125108904ac6063e7052f663da6ef34fa1bf1d3060761fc','done','train/tying_knot_(not_on_a_tie)/plainClip_3_000003_000006',1040586,45,NULL,1795255488.9089574813);
INSERT INTO derivatives VALUES(23,'320p','1150d727ed219b35','5fa70553956d234368896d0162028b77e702a5a82992dbfada82e4b14b6172ea','done','train/tying_knot_(not_on_a_tie)/-_-_-_-_-_-_000004_000007.mp4',147782,45,NULL,1795255488.9089608192);
INSERT INTO derivatives VALUES(23,'rawframes-256','ba85e6abb7b8566f','5fa70553956d234368896d0162028b77e702a5a82992dbfada82e4b14b6172ea','done','train/tying_knot_(not_on_a_tie)/-_-_-_-_-_-_000004_000007',1094494,45,NULL,1795255488.9089717864);
INSERT INTO derivatives VALUES(24,'320p','1150d727ed219b35','725c94434d63b268f51f23a9dfc789566bf085ac04249c270b2a5ead35a572d7','done','train/tying_knot_(not_on_a_tie)/portrait_02_000005_000008.mp4',178179,75,NULL,1795255488.9089829921);
INSERT INTO derivatives VALUES(24,'rawframes-256','ba85e6abb7b8566f','725c94434d63b268f51f23a9dfc789566bf085ac04249c270b2a5ead35a572d7','done','train/tying_knot_(not_on_a_tie)/portrait_02_000005_000008',2023787,75,NULL,1795255488.9089860916);
INSERT INTO derivatives VALUES(25,'320p','1150d727ed219b35','430921c60160a8ae930f657900fa27bbf4132f30f55c174405a35756a650a4ef','done','train/tying_knot_(not_on_a_tie)/truncatedMp_000006_000009.mp4',109718,45,NULL,1795255488.908989191);
INSERT INTO derivatives VALUES(25,'rawframes-256','ba85e6abb7b8566f','430921c60160a8ae930f657900fa27bbf4132f30f55c174405a35756a650a4ef','done','train/tying_knot_(not_on_a_tie)/truncatedMp_000006_000009',1035271,45,NULL,1795255488.9089925288);
INSERT INTO derivatives VALUES(26,'320p','1150d727ed219b35','1cb0120125167669e5796aa6eecd5c8c41649aca483b508628698e0b143222ab','done','train/tying_knot_(not_on_a_tie)/onlyMended1_000007_000010.mp4',175963,45,NULL,1795255490.1619472504);
INSERT INTO derivatives VALUES(26,'rawframes-256','ba85e6abb7b8566f','1cb0120125167669e5796aa6eecd5c8c41649aca483b508628698e0b143222ab','done','train/tying_knot_(not_on_a_tie)/onlyMended1_000007_000010',1040586,45,NULL,1795255490.1619868278);
INSERT INTO derivatives VALUES(27,'320p','1150d727ed219b35','8d53e30daaf8c9f9dc7f9e6af51ad2f720a0d838d9e44d0988b4aabb70ba4498','done','val/abseiling/valClip_0_a_000000_000003.mp4',175963,45,NULL,1795255488.9089763164);
INSERT INTO derivatives VALUES(27,'rawframes-256','ba85e6abb7b8566f','8d53e30daaf8c9f9dc7f9e6af51ad2f720a0d838d9e44d0988b4aabb70ba4498','done','val/abseiling/valClip_0_a_000000_000003',1040586,45,NULL,1795255488.9089796543);
INSERT INTO derivatives VALUES(28,'320p','1150d727ed219b35','5d4c2c9911ad3bdbf22d9682efe152243c723d319054deed9f8065660870d35d','done','val/driving_car/valClip_1_a_000010_000013.mp4',175963,45,NULL,1795255488.9090092182);
INSERT INTO derivatives VALUES(28,'rawframes-256','ba85e6abb7b8566f','5d4c2c9911ad3bdbf22d9682efe152243c723d319054deed9f8065660870d35d','done','val/driving_car/valClip_1_a_000010_000013',1040586,45,NULL,1795255488.909012556);
INSERT INTO derivatives VALUES(29,'320p','1150d727ed219b35','f38686acd878192232f42bed04e811986f7bee3baf06b07a57db23ac50d9c516','done','val/massaging_person''s_head/valClip_2_a_000020_000023.mp4',175963,45,NULL,1795255488.9090261459);
INSERT INTO derivatives VALUES(29,'rawframes-256','ba85e6abb7b8566f','f38686acd878192232f42bed04e811986f7bee3baf06b07a57db23ac50d9c516','done','val/massaging_person''s_head/valClip_2_a_000020_000023',1040586,45,NULL,1795255488.9090290069);
INSERT INTO derivatives VALUES(30,'320p','1150d727ed219b35','be5d662fed7c370776caca2b95f8584a43605c4f3da9f2b4df49d5bdea043b7f','done','val/tying_knot_(not_on_a_tie)/valClip_3_a_000030_000033.mp4',175963,45,NULL,1795255488.9090411663);
INSERT INTO derivatives VALUES(30,'rawframes-256','ba85e6abb7b8566f','be5d662fed7c370776caca2b95f8584a43605c4f3da9f2b4df49d5bdea043b7f','done','val/tying_knot_(not_on_a_tie)/valClip_3_a_000030_000033',1040586,45,NULL,1795255488.9090447425);
INSERT INTO derivatives VALUES(31,'320p','1150d727ed219b35','e9ebcb6d69e562e512b0118a3bcbf5077a51165639a2846a01ddf9086d9f8bcb','done','val/abseiling/valClip_0_b_000000_000003.mp4',147782,45,NULL,1795255488.9089956283);
INSERT INTO derivatives VALUES(31,'rawframes-256','ba85e6abb7b8566f','e9ebcb6d69e562e512b0118a3bcbf5077a51165639a2846a01ddf9086d9f8bcb','done','val/abseiling/valClip_0_b_000000_000003',1094494,45,NULL,1795255488.9089999199);
INSERT INTO derivatives VALUES(32,'320p','1150d727ed219b35','0c44520019afbc477c413f001d736c24c5de3b0799bdf8af384f9e5a96ffa310','done','val/driving_car/valClip_1_b_000010_000013.mp4',147782,45,NULL,1795255488.9090032576);
INSERT INTO derivatives VALUES(32,'rawframes-256','ba85e6abb7b8566f','0c44520019afbc477c413f001d736c24c5de3b0799bdf8af384f9e5a96ffa310','done','val/driving_car/valClip_1_b_000010_000013',1094494,45,NULL,1795255488.9090063572);
INSERT INTO derivatives VALUES(33,'320p','1150d727ed219b35','40b331f83b283df33c8ec2fd492829e981eb8403c42366471a44a7d96e25cf2e','done','val/massaging_person''s_head/valClip_2_b_000020_000023.mp4',147782,45,NULL,1795255488.9090194702);
INSERT INTO derivatives VALUES(33,'rawframes-256','ba85e6abb7b8566f','40b331f83b283df33c8ec2fd492829e981eb8403c42366471a44a7d96e25cf2e','done','val/massaging_person''s_head/valClip_2_b_000020_000023',1094494,45,NULL,1795255488.909022808);
INSERT INTO derivatives VALUES(34,'320p','1150d727ed219b35','abf699232bb0a6a0030af886e775752cb1d806de4d7ca458ec9f948c74904762','done','val/tying_knot_(not_on_a_tie)/valClip_3_b_000030_000033.mp4',147782,45,NULL,1795255488.9090321064);
INSERT INTO derivatives VALUES(34,'rawframes-256','ba85e6abb7b8566f','abf699232bb0a6a0030af886e775752cb1d806de4d7ca458ec9f948c74904762','done','val/tying_knot_(not_on_a_tie)/valClip_3_b_000030_000033',1094494,45,NULL,1795255488.9090356826);
INSERT INTO derivatives VALUES(36,'320p','1150d727ed219b35','70f489614ce27d0fc64e5342bffaa9306c6dbfa3324269249851a8bca31439fb','done','test/testClip_01_000000_000003.mp4',175963,45,NULL,1795255488.9090483188);
INSERT INTO derivatives VALUES(36,'rawframes-256','ba85e6abb7b8566f','70f489614ce27d0fc64e5342bffaa9306c6dbfa3324269249851a8bca31439fb','done','test/testClip_01_000000_000003',1040586,45,NULL,1795255488.9090533256);
INSERT INTO derivatives VALUES(37,'320p','1150d727ed219b35','a9bee5b6258dd89a0171c278d82b40087db265c52e239e6e681aa5043e59d685','done','test/-testClip02_000011_000014.mp4',147782,45,NULL,1795255489.6824524402);
INSERT INTO derivatives VALUES(37,'rawframes-256','ba85e6abb7b8566f','a9bee5b6258dd89a0171c278d82b40087db265c52e239e6e681aa5043e59d685','done','test/-testClip02_000011_000014',1094494,45,NULL,1795255489.6824905872);
INSERT INTO derivatives VALUES(38,'320p','1150d727ed219b35','c5c8f3221ecfcfe200f8e55ff09fa80b1c9e2fdd1c2d59bac1924e75bdc91edb','done','test/testClip_03_000022_000025.mp4',61061,15,NULL,1795255489.6824970245);
INSERT INTO derivatives VALUES(38,'rawframes-256','ba85e6abb7b8566f','c5c8f3221ecfcfe200f8e55ff09fa80b1c9e2fdd1c2d59bac1924e75bdc91edb','done','test/testClip_03_000022_000025',332561,15,NULL,1795255489.682501316);
INSERT INTO derivatives VALUES(39,'320p','1150d727ed219b35','862cbe0ad785b62d3434830b149fd9d233fda30e3eb1e456a510d71ae7a99887','done','test/testClip_04_000033_000036.mp4',109718,45,NULL,1795255489.6825048923);
INSERT INTO derivatives VALUES(39,'rawframes-256','ba85e6abb7b8566f','862cbe0ad785b62d3434830b149fd9d233fda30e3eb1e456a510d71ae7a99887','done','test/testClip_04_000033_000036',1035271,45,NULL,1795255489.6825079918);
CREATE TABLE runs (
    id        TEXT PRIMARY KEY,
    command   TEXT NOT NULL,
    host      TEXT NOT NULL,
    pid       INTEGER NOT NULL,
    boot_id   TEXT NOT NULL,
    started   REAL NOT NULL,
    ended     REAL,
    exit_code INTEGER,
    summary   TEXT                             -- JSON
) STRICT;
CREATE TABLE findings (
    id      INTEGER PRIMARY KEY,
    run_id  TEXT NOT NULL REFERENCES runs (id),
    kind    TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail  TEXT NOT NULL,
    fix     TEXT NOT NULL
) STRICT;
CREATE INDEX objects_by_kind ON objects (kind, split, idx);
CREATE INDEX clips_by_state ON clips (verdict, split, class_dir, origin, check_level, shard_id);
CREATE INDEX clips_by_shard ON clips (shard_id) WHERE shard_id IS NOT NULL;
CREATE INDEX clips_to_check ON clips (split, class_dir)
    WHERE path IS NOT NULL AND (verdict = 'unchecked' OR verdict = 'unlisted' AND check_level IS NULL);
CREATE INDEX clips_replaced ON clips (split, class_dir) WHERE origin = 'replacement';
CREATE INDEX clips_sound ON clips (checked_at) WHERE verdict IN ('ok', 'short');
CREATE INDEX derivatives_by_recipe ON derivatives (recipe, state);
CREATE INDEX findings_by_run ON findings (run_id);
COMMIT;
PRAGMA user_version = 1;
