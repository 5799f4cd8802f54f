// What the heart costs: sealing an entry of 64 messages, applying it, reading the queue index, and gathering
// keys.
//
//     build/bench/broker_bench
#include "broker/record_keys.hpp"
#include "broker/replica.hpp"
#include "protocol/stored_message.hpp"
#include "storage/queue_index.hpp"

#include <benchmark/benchmark.h>
#include <filesystem>
#include <string>
#include <unistd.h>

namespace holdfast {
namespace {

constexpr std::uint32_t messages_per_entry = 64;
constexpr std::uint32_t queues = 4;
const std::string body(1024, 'x');

broker::entry_draft make_draft(topic_id topic, std::string_view properties = {}) {
    protocol::stored_message message;
    message.properties = properties;
    message.topic = "bench";
    message.body = as_bytes(body);
    broker::entry_draft draft{messages_per_entry * 1300};
    for (std::uint32_t i = 0; i < messages_per_entry; ++i) {
        message.queue = queue_number{i % queues};
        const auto to = draft.add_message({topic, message.queue}, 0, message.size());
        protocol::write_stored_message(to.data(), message);
    }
    return draft;
}

broker::state state_with_topic() {
    broker::state state;
    broker::topic_config topic;
    topic.name = "bench";
    topic.id = topic_id{1};
    state.restore_topic(topic);
    return state;
}

broker::replica leading_replica() {
    broker::replica_log log;
    log.applied.geometry = {log_position{0}, 1ULL << 50U, 1ULL << 50U};
    broker::replica_settings settings;
    settings.raft.self = {"a", "first"};
    settings.max_entry_size = 64U << 20U;
    broker::replica replica{std::move(settings), std::move(log), state_with_topic()};
    const auto first = replica.step(broker::started{});
    (void)replica.step(broker::entries_flushed{first.flush->until, first.flush->until});
    return replica;
}

// From draft to sealed entry, flushed and applied: everything the commit log does for a batch, but for the
// disk.
void append_flush_apply(benchmark::State& run) {
    auto replica = leading_replica();
    for (auto _ : run) {
        run.PauseTiming();
        broker::batches_received received;
        received.batches.push_back({make_draft(topic_id{1}), broker::batch_ticket{1}});
        run.ResumeTiming();
        const auto appended = replica.step(std::move(received));
        benchmark::DoNotOptimize(
            replica.step(broker::entries_flushed{appended.flush->until, appended.flush->until}));
    }
    run.SetItemsProcessed(run.iterations() * messages_per_entry);
}
BENCHMARK(append_flush_apply);

void apply_entry(benchmark::State& run) {
    auto state = state_with_topic();
    auto draft = make_draft(topic_id{1});
    std::vector<queue_offset> offsets;
    for (auto _ : run) {
        broker::state_changes changes;
        offsets.clear();
        if (!state.apply(draft.bytes(), log_position{0}, changes, offsets).ok())
            run.SkipWithError("apply failed");
        state.collect_runs(changes);
        benchmark::DoNotOptimize(changes);
    }
    run.SetItemsProcessed(run.iterations() * messages_per_entry);
}
BENCHMARK(apply_entry);

// A pull's worth of index entries from memory.
void read_queue_index(benchmark::State& run) {
    auto pattern = (std::filesystem::temp_directory_path() / "holdfast-bench-XXXXXX").string();
    const std::filesystem::path directory = ::mkdtemp(pattern.data());
    {
        const auto store = storage::derived_store::open(directory / "derived", "bench");
        storage::queue_index index{**store};
        const queue_key queue{topic_id{1}, queue_number{0}};
        std::vector<storage::queue_index_entry> entries(100'000);
        std::vector<storage::waiter_id> woken;
        index.append(queue, queue_offset{0}, entries, woken);
        std::vector<storage::queue_index_entry> out;
        std::int64_t from = 0;
        const auto count = static_cast<std::size_t>(run.range(0));
        for (auto _ : run) {
            const auto read =
                index.read(queue, queue_offset{from}, count, storage::queue_index::source::memory_only, out);
            benchmark::DoNotOptimize(read.ok());
            from = (from + run.range(0)) % 90'000;
        }
        run.SetItemsProcessed(run.iterations() * run.range(0));
    }
    std::filesystem::remove_all(directory);
}
BENCHMARK(read_queue_index)->Arg(32)->Arg(1024);

// The two keys of each message, as the key indexer gathers them.
void gather_keys(benchmark::State& run) {
    constexpr std::string_view properties = "KEYS\x01OrderID188\x02UNIQ_KEY\x01"
                                            "7F0000010A2B18B4AAC26E0A6F4A0000\x02TAGS\x01TagA\x02";
    auto draft = make_draft(topic_id{1}, properties);
    std::vector<storage::key_entry> keys;
    for (auto _ : run) {
        keys.clear();
        if (!broker::append_keys(draft.bytes(), log_position{0}, keys).ok() ||
            keys.size() != std::size_t{2} * messages_per_entry)
            run.SkipWithError("the keys are not all there");
    }
    run.SetItemsProcessed(run.iterations() * messages_per_entry);
}
BENCHMARK(gather_keys);

} // namespace
} // namespace holdfast

BENCHMARK_MAIN();
