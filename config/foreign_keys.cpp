// What RocketMQ's broker.conf may also say, and why it says nothing to us.
#include "config/settings.hpp"

#include <algorithm>
#include <array>

namespace holdfast::config {

namespace {

constexpr std::string_view same_process = "the name service runs in this process (namesrvPort)";
constexpr std::string_view one_root = "all data lies under storePathRootDir";
constexpr std::string_view one_index =
    "queue and key indexes are derived from the log and have no files to size";
constexpr std::string_view own_threads = "threads are set with ioThreads, workerThreads and readerThreads";
constexpr std::string_view own_limits =
    "overload is bounded by maxBytesInFlight, maxRequestsInFlight and maxOutgoingBytes";
constexpr std::string_view no_mapping = "the log is written with direct writes, not through mapped memory";
constexpr std::string_view no_forcing =
    "segments are deleted by fileReservedTime and deleteWhen only; a full disk refuses sends";
constexpr std::string_view no_ha = "there is no master-slave replication; replicas follow the log by Raft";
constexpr std::string_view in_log = "offsets and topics are entries of the log, there is no file to save";
constexpr std::string_view no_filter = "SQL92 filters are not offered; subscribe by tag";
constexpr std::string_view no_tls = "TLS is not offered yet";

constexpr std::array table{
    // Silence about these would be dangerous.
    foreign_key{"brokerRole", no_ha, "ASYNC_MASTER|SYNC_MASTER"},
    foreign_key{"aclEnable", "access control is not offered yet: bind to a trusted network only", "false"},
    foreign_key{"enableDLegerCommitLog", "replicas do not speak DLedger", "false"},
    foreign_key{"enableControllerMode", no_ha, "false"},
    foreign_key{"duplicationEnable", no_ha, "false"},
    foreign_key{"tls.server.mode", no_tls, "disabled|permissive"},
    foreign_key{"tlsEnable", no_tls, "false"},
    foreign_key{"enablePropertyFilter", no_filter, "false"},
    foreign_key{"storeType", "there is one store", "default"},
    foreign_key{"enableMultiDispatch", "light message queues are not offered", "false"},
    foreign_key{"timerWheelEnable", "timer messages (5.x) are not offered; use delay levels", "false"},

    foreign_key{"namesrvAddr", same_process},
    foreign_key{"fetchNamesrvAddrByAddressServer", same_process},
    foreign_key{"rmqAddressServerDomain", same_process},
    foreign_key{"registerBrokerTimeoutMills", same_process},
    foreign_key{"registerNameServerPeriod", same_process},
    foreign_key{"forceRegister", same_process},
    foreign_key{"compressedRegister", same_process},
    foreign_key{"rocketmqHome", "no file is read that was not named"},
    foreign_key{"brokerIP2", no_ha},
    foreign_key{"haListenPort", no_ha},
    foreign_key{"haMasterAddress", no_ha},
    foreign_key{"haSendHeartbeatInterval", no_ha},
    foreign_key{"haHousekeepingInterval", no_ha},
    foreign_key{"haTransferBatchSize", no_ha},
    foreign_key{"haSlaveFallbehindMax", no_ha},
    foreign_key{"slaveTimeout", no_ha},
    foreign_key{"syncFlushTimeout", "a send is answered when it is flushed, however long that takes"},
    foreign_key{"inSyncReplicas", no_ha},
    foreign_key{"minInSyncReplicas", no_ha},
    foreign_key{"offsetCheckInSlave", no_ha},
    foreign_key{"dLegerGroup", "replicas do not speak DLedger"},
    foreign_key{"dLegerPeers", "replicas do not speak DLedger"},
    foreign_key{"dLegerSelfId", "replicas do not speak DLedger"},

    foreign_key{"storePathCommitLog", one_root},
    foreign_key{"storePathConsumeQueue", one_root},
    foreign_key{"storePathIndex", one_root},
    foreign_key{"storeCheckpoint", one_root},
    foreign_key{"abortFile", one_root},
    foreign_key{"storePathDLedgerCommitLog", one_root},

    foreign_key{"mappedFileSizeConsumeQueue", one_index},
    foreign_key{"mappedFileSizeConsumeQueueExt", one_index},
    foreign_key{"enableConsumeQueueExt", one_index},
    foreign_key{"bitMapLengthConsumeQueueExt", one_index},
    foreign_key{"flushIntervalConsumeQueue", one_index},
    foreign_key{"flushConsumeQueueLeastPages", one_index},
    foreign_key{"flushConsumeQueueThoroughInterval", one_index},
    foreign_key{"putMsgIndexHightWater", one_index},
    foreign_key{"maxHashSlotNum", one_index},
    foreign_key{"maxIndexNum", one_index},
    foreign_key{"maxMsgsNumBatch", "defaultQueryMaxNum bounds the answers of queries"},
    foreign_key{"messageIndexEnable", "messages can always be found by key"},
    foreign_key{"messageIndexSafe", "messages can always be found by key"},

    foreign_key{"transientStorePoolEnable", no_mapping},
    foreign_key{"transientStorePoolSize", no_mapping},
    foreign_key{"fastFailIfNoBufferInStorePool", no_mapping},
    foreign_key{"warmMapedFileEnable", no_mapping},
    foreign_key{"flushLeastPagesWhenWarmMapedFile", no_mapping},
    foreign_key{"flushCommitLogTimed", no_mapping},
    foreign_key{"flushCommitLogLeastPages", no_mapping},
    foreign_key{"flushCommitLogThoroughInterval", no_mapping},
    foreign_key{"commitIntervalCommitLog", no_mapping},
    foreign_key{"commitCommitLogLeastPages", no_mapping},
    foreign_key{"commitCommitLogThoroughInterval", no_mapping},
    foreign_key{"useReentrantLockWhenPutMessage", "one writer needs no lock"},
    foreign_key{"osPageCacheBusyTimeOutMills", own_limits},
    foreign_key{"maxTransferBytesOnMessageInDisk", "maxTransferBytesOnMessageInMemory counts for both"},
    foreign_key{"maxTransferCountOnMessageInDisk", "maxTransferCountOnMessageInMemory counts for both"},
    foreign_key{"accessMessageInMemoryMaxRatio", "the part kept in memory is entryCacheBytes"},
    foreign_key{"transferMsgByHeap", "answers are sent from the memory they were read into"},
    foreign_key{"checkCRCOnRecover", "checksums are always checked"},

    foreign_key{"cleanFileForciblyEnable", no_forcing},
    foreign_key{"cleanResourceInterval", no_forcing},
    foreign_key{"deleteCommitLogFilesInterval", no_forcing},
    foreign_key{"deleteConsumeQueueFilesInterval", no_forcing},
    foreign_key{"destroyMapedFileIntervalForcibly", no_forcing},
    foreign_key{"redeleteHangedFileInterval", no_forcing},
    foreign_key{"diskFallRecorded", no_forcing},

    foreign_key{"sendMessageThreadPoolNums", own_threads},
    foreign_key{"putMessageFutureThreadPoolNums", own_threads},
    foreign_key{"pullMessageThreadPoolNums", own_threads},
    foreign_key{"processReplyMessageThreadPoolNums", own_threads},
    foreign_key{"queryMessageThreadPoolNums", own_threads},
    foreign_key{"adminBrokerThreadPoolNums", own_threads},
    foreign_key{"clientManageThreadPoolNums", own_threads},
    foreign_key{"consumerManageThreadPoolNums", own_threads},
    foreign_key{"heartbeatThreadPoolNums", own_threads},
    foreign_key{"endTransactionThreadPoolNums", own_threads},
    foreign_key{"serverWorkerThreads", own_threads},
    foreign_key{"serverCallbackExecutorThreads", own_threads},
    foreign_key{"serverSelectorThreads", own_threads},
    foreign_key{"useEpollNativeSelector", "sockets are always read with epoll"},
    foreign_key{"serverPooledByteBufAllocatorEnable", "buffers are always pooled"},
    foreign_key{"serverSocketSndBufSize", "the kernel sizes socket buffers itself"},
    foreign_key{"serverSocketRcvBufSize", "the kernel sizes socket buffers itself"},

    foreign_key{"sendThreadPoolQueueCapacity", own_limits},
    foreign_key{"putThreadPoolQueueCapacity", own_limits},
    foreign_key{"pullThreadPoolQueueCapacity", own_limits},
    foreign_key{"replyThreadPoolQueueCapacity", own_limits},
    foreign_key{"queryThreadPoolQueueCapacity", own_limits},
    foreign_key{"clientManagerThreadPoolQueueCapacity", own_limits},
    foreign_key{"consumerManagerThreadPoolQueueCapacity", own_limits},
    foreign_key{"heartbeatThreadPoolQueueCapacity", own_limits},
    foreign_key{"endTransactionPoolQueueCapacity", own_limits},
    foreign_key{"brokerFastFailureEnable", own_limits},
    foreign_key{"waitTimeMillsInSendQueue", own_limits},
    foreign_key{"waitTimeMillsInPullQueue", own_limits},
    foreign_key{"waitTimeMillsInHeartbeatQueue", own_limits},
    foreign_key{"waitTimeMillsInTransactionQueue", own_limits},
    foreign_key{"startAcceptSendRequestTimeStamp", "sends are accepted from the start"},
    foreign_key{"serverOnewaySemaphoreValue", own_limits},
    foreign_key{"serverAsyncSemaphoreValue", own_limits},

    foreign_key{"flushConsumerOffsetHistoryInterval", in_log},
    foreign_key{"flushDelayOffsetInterval", in_log},
    foreign_key{"enableCalcFilterBitMap", no_filter},
    foreign_key{"expectConsumerNumUseFilter", no_filter},
    foreign_key{"maxErrorRateOfBloomFilter", no_filter},
    foreign_key{"filterDataCleanTimeSpan", no_filter},
    foreign_key{"filterSupportRetry", no_filter},
    foreign_key{"filterServerNums", "class filters are obsolete"},
    foreign_key{"disableConsumeIfConsumerReadSlowly", "a slow consumer costs the others nothing"},
    foreign_key{"consumerFallbehindThreshold", "a slow consumer costs the others nothing"},
    foreign_key{"rejectPullConsumerEnable", "pull consumers are always served"},
    foreign_key{"highSpeedMode", "there is one mode"},
    foreign_key{"commercialEnable", "it belongs to a cloud offer"},
    foreign_key{"commercialTimerCount", "it belongs to a cloud offer"},
    foreign_key{"commercialTransCount", "it belongs to a cloud offer"},
    foreign_key{"commercialBigCount", "it belongs to a cloud offer"},
    foreign_key{"commercialBaseCount", "it belongs to a cloud offer"},
    foreign_key{"transferOffsetByHeap", "it has no effect"},
    foreign_key{"storeReplyMessageEnable", "replies go to the requester directly"},
    foreign_key{"autoDeleteUnusedStats", "counters of deleted topics end with them"},
    foreign_key{"debugLockEnable", "one writer needs no lock"},
    foreign_key{"enableScheduleMessageStats", "counters are always kept"},
    foreign_key{"messageStorePlugIn", "there is one store"},
    foreign_key{"isolateLogEnable", "there is one log (logFile)"},
};

} // namespace

std::span<const foreign_key> all_foreign_keys() {
    return table;
}

const foreign_key* find_foreign_key(std::string_view key) {
    const auto* const found =
        std::find_if(table.begin(), table.end(), [&](const foreign_key& each) { return each.key == key; });
    return found == table.end() ? nullptr : found;
}

} // namespace holdfast::config
