// What the derived store and the key index cost, and what their alternatives would (docs/decisions/0003).
//
//   derived_bench                                all of it, some two minutes
//   derived_bench --benchmark_filter=checkpoint
//
// `cpu_ns` and `amplification` count everything the process did per entry, background merges included:
// processor time of all threads, and bytes handed to the disk per byte of payload. Files go to $TMPDIR or
// /tmp.
#include "base/bytes.hpp"
#include "storage/derived_store.hpp"
#include "storage/key_index.hpp"
#include "storage/queue_index_run.hpp"

#include <benchmark/benchmark.h>
#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <fcntl.h>
#include <malloc.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <random>

namespace {

using namespace holdfast;
using namespace holdfast::storage;

constexpr std::string_view log_id = "bench";
constexpr std::uint32_t record_bytes = 1200;

class scratch_directory {
  public:
    scratch_directory() {
        auto name = (std::filesystem::temp_directory_path() / "holdfast-bench-XXXXXX").string();
        HOLDFAST_CHECK(::mkdtemp(name.data()) != nullptr);
        path_ = name;
    }
    scratch_directory(const scratch_directory&) = delete;
    scratch_directory& operator=(const scratch_directory&) = delete;
    ~scratch_directory() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

  private:
    std::filesystem::path path_;
};

double processor_ns() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    const auto ns = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_usec) * 1e3;
    };
    return ns(usage.ru_utime) + ns(usage.ru_stime);
}

double disk_bytes() {
    std::ifstream io{"/proc/self/io"};
    std::string name;
    double value = 0;
    while (io >> name >> value) {
        if (name == "write_bytes:")
            return value;
    }
    return 0;
}

double resident_mib() {
    std::ifstream statm{"/proc/self/statm"};
    double total = 0;
    double resident = 0;
    statm >> total >> resident;
    return resident * 4096 / (1 << 20);
}

// Per-entry costs of all that happens during its life.
class cost_meter {
  public:
    void report(benchmark::State& state, double entries, double payload_bytes) const {
        state.counters["cpu_ns"] = (processor_ns() - processor_) / entries;
        state.counters["amplification"] = (disk_bytes() - disk_) / payload_bytes;
        state.counters["rss_MiB"] = resident_mib();
    }

  private:
    double processor_ = processor_ns();
    double disk_ = disk_bytes();
};

// -- the queue index: entries of a checkpoint spread evenly over the queues
// -----------------------------------

struct queue_feed {
    queue_feed(std::size_t queues, std::size_t entries_at_once)
        : next(queues, 0), checkpoint_entries(entries_at_once) {}

    // The entries of one checkpoint for each queue: [first, first + entries.size()).
    template <class Sink>
    void checkpoint(Sink&& sink) {
        // 40,000 queues get one or two entries each: the remainder moves on from checkpoint to checkpoint.
        const auto queues = next.size();
        for (std::size_t queue = 0; queue < queues; ++queue) {
            auto count = checkpoint_entries / queues;
            if ((queue + turn) % queues < checkpoint_entries % queues)
                ++count;
            entries.clear();
            for (std::size_t i = 0; i < count; ++i) {
                entries.push_back({position, record_bytes, 0});
                position += record_bytes;
            }
            if (count > 0)
                sink(queue, next[queue], entries);
            next[queue] += count;
        }
        turn += checkpoint_entries % queues;
    }

    std::vector<std::uint64_t> next;
    std::size_t checkpoint_entries;
    std::vector<queue_index_entry> entries;
    std::size_t turn = 0;
    log_position position;
};

queue_key queue_at(std::size_t number) {
    return {topic_id{static_cast<std::uint32_t>(1 + number / 4)},
            queue_number{static_cast<std::uint32_t>(number % 4)}};
}

void write_runs(derived_store& store, queue_feed& feed) {
    derived_batch batch;
    feed.checkpoint(
        [&](std::size_t queue, std::uint64_t first, const std::vector<queue_index_entry>& entries) {
            put_queue_runs(batch, queue_at(queue), queue_offset{static_cast<std::int64_t>(first)}, entries);
        });
    HOLDFAST_CHECK(store.write(std::move(batch), feed.position).ok());
}

void checkpoint_runs(benchmark::State& state) {
    const scratch_directory home;
    auto store = std::move(*derived_store::open(home.path(), log_id));
    queue_feed feed{static_cast<std::size_t>(state.range(0)), static_cast<std::size_t>(state.range(1))};
    const cost_meter meter;
    for (auto _ : state) {
        write_runs(*store, feed);
        HOLDFAST_CHECK(store->flush().ok());
    }
    store.reset();
    const auto entries = static_cast<double>(state.iterations() * state.range(1));
    meter.report(state, entries, entries * queue_index_entry_bytes);
}
BENCHMARK(checkpoint_runs)
    ->ArgNames({"queues", "entries"})
    ->Args({4, 60'000})
    ->Args({40'000, 60'000})
    ->Iterations(60)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK(checkpoint_runs)
    ->ArgNames({"queues", "entries"})
    ->Args({40'000, 600'000})
    ->Iterations(6)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

// The alternative: one file per queue, appended to, made durable by fdatasync of each or by one syncfs.
// 40,000 files are more than a process may have open on many systems (20,000 here), so they are opened for
// each append.
void checkpoint_files(benchmark::State& state) {
    const auto queues = static_cast<std::size_t>(state.range(0));
    const bool sync_each = state.range(2) == 0;
    const scratch_directory home;
    const int directory = ::open(home.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    queue_feed feed{queues, static_cast<std::size_t>(state.range(1))};
    const cost_meter meter;
    for (auto _ : state) {
        feed.checkpoint(
            [&](std::size_t queue, std::uint64_t first, const std::vector<queue_index_entry>& entries) {
                const auto name = std::to_string(queue);
                const int fd = ::openat(directory, name.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
                const auto bytes = entries.size() * queue_index_entry_bytes;
                HOLDFAST_CHECK(::pwrite(fd, entries.data(), bytes,
                                        static_cast<off_t>(first * queue_index_entry_bytes)) ==
                               static_cast<ssize_t>(bytes));
                HOLDFAST_CHECK(!sync_each || ::fdatasync(fd) == 0);
                ::close(fd);
            });
        HOLDFAST_CHECK(sync_each || ::syncfs(directory) == 0);
    }
    const auto entries = static_cast<double>(state.iterations() * state.range(1));
    meter.report(state, entries, entries * queue_index_entry_bytes);
    ::close(directory);
}
BENCHMARK(checkpoint_files)
    ->ArgNames({"queues", "entries", "syncfs"})
    ->ArgsProduct({{4}, {60'000}, {0, 1}})
    ->Iterations(60)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK(checkpoint_files)
    ->ArgNames({"queues", "entries", "syncfs"})
    ->ArgsProduct({{40'000}, {60'000, 600'000}, {0, 1}})
    ->Iterations(2)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

// Random reads of `limit` entries after 60 checkpoints.
void read_runs(benchmark::State& state) {
    const scratch_directory home;
    auto store = std::move(*derived_store::open(home.path(), log_id));
    queue_feed feed{static_cast<std::size_t>(state.range(0)), 60'000};
    for (int checkpoint = 0; checkpoint < 60; ++checkpoint) {
        write_runs(*store, feed);
        HOLDFAST_CHECK(store->flush().ok());
    }
    std::mt19937_64 random{1};
    for (auto _ : state) {
        const auto queue = random() % feed.next.size();
        const queue_offset offset{static_cast<std::int64_t>(random() % feed.next[queue])};
        if (state.range(1) == 1) {
            const auto found = find_run(*store, queue_at(queue), offset);
            HOLDFAST_CHECK(found.ok() && found->has_value());
        } else {
            const auto found =
                read_queue_index(*store, queue_at(queue), offset, static_cast<std::size_t>(state.range(1)));
            HOLDFAST_CHECK(found.ok() && !found->empty());
        }
    }
    state.counters["rss_MiB"] = resident_mib();
}
BENCHMARK(read_runs)
    ->ArgNames({"queues", "entries"})
    ->ArgsProduct({{4, 40'000}, {1, 32, 1024}})
    ->Unit(benchmark::kMicrosecond);

// -- the key index
// --------------------------------------------------------------------------------------------

// Two keys a message, in log order, as the indexer collects them; 100 messages a millisecond.
struct key_feed {
    const std::vector<key_entry>& bulk(std::size_t count) {
        entries.clear();
        for (std::size_t i = 0; i < count; ++i) {
            entries.push_back({random(), position, now});
            if (i % 2 == 1)
                position += record_bytes;
            if (i % 200 == 199)
                now = now + 1;
        }
        position += record_bytes;
        return entries;
    }
    std::vector<key_entry> entries;
    std::mt19937_64 random{1};
    log_position position;
    timestamp_ms now{1'700'000'000'000};
};

constexpr std::size_t keys_in_all = std::size_t{6} << 20U;

void add_keys(benchmark::State& state) {
    const scratch_directory home;
    auto index = std::move(*key_index::open(home.path(), log_id));
    const auto count = static_cast<std::size_t>(state.range(0));
    key_feed feed;
    const cost_meter meter;
    for (auto _ : state) {
        const auto& bulk = feed.bulk(count);
        HOLDFAST_CHECK(index->add(bulk, feed.position).ok());
    }
    index.reset();
    const auto keys = static_cast<double>(state.iterations()) * static_cast<double>(count);
    meter.report(state, keys, keys * 24);
}
BENCHMARK(add_keys)->ArgName("bulk")->Arg(500)->Iterations(2000)->UseRealTime()->Unit(
    benchmark::kMillisecond);
BENCHMARK(add_keys)
    ->ArgName("bulk")
    ->Arg(65'536)
    ->Iterations(keys_in_all / 65'536)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK(add_keys)
    ->ArgName("bulk")
    ->Arg(131'072)
    ->Iterations(keys_in_all / 131'072)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK(add_keys)
    ->ArgName("bulk")
    ->Arg(262'144)
    ->Iterations(keys_in_all / 262'144)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

// The alternative: the same keys through memtables, in one sorted set without generations.
void add_keys_by_batch(benchmark::State& state) {
    const scratch_directory home;
    rocksdb::Options options;
    options.create_if_missing = true;
    options.write_buffer_size = std::size_t{16} << 20U;
    rocksdb::DB* opened = nullptr;
    HOLDFAST_CHECK(rocksdb::DB::Open(options, home.path().string(), &opened).ok());
    std::unique_ptr<rocksdb::DB> database{opened};
    const auto count = static_cast<std::size_t>(state.range(0));
    rocksdb::WriteOptions without_log;
    without_log.disableWAL = true;
    key_feed feed;
    const cost_meter meter;
    for (auto _ : state) {
        auto bulk = feed.bulk(count);
        std::sort(bulk.begin(), bulk.end(),
                  [](const auto& left, const auto& right) { return left.hash < right.hash; });
        rocksdb::WriteBatch batch;
        for (const auto& entry : bulk) {
            std::string key;
            append_big(key, entry.hash);
            append_big(key, entry.position.value());
            HOLDFAST_CHECK(
                batch.Put(key, rocksdb::Slice{reinterpret_cast<const char*>(&entry.stored_at), 8}).ok());
        }
        HOLDFAST_CHECK(database->Write(without_log, &batch).ok());
        HOLDFAST_CHECK(database->Flush({}).ok());
    }
    database.reset();
    const auto keys = static_cast<double>(state.iterations()) * static_cast<double>(count);
    meter.report(state, keys, keys * 24);
}
BENCHMARK(add_keys_by_batch)
    ->ArgName("bulk")
    ->Arg(65'536)
    ->Iterations(keys_in_all / 65'536)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

void find_keys(benchmark::State& state) {
    const scratch_directory home;
    auto index = std::move(*key_index::open(home.path(), log_id));
    key_feed feed;
    std::vector<std::uint64_t> known;
    for (int bulk = 0; bulk < 40; ++bulk) {
        const auto& entries = feed.bulk(std::size_t{1} << 17U);
        known.push_back(entries[entries.size() / 2].hash);
        HOLDFAST_CHECK(index->add(entries, feed.position).ok());
    }
    std::size_t turn = 0;
    for (auto _ : state) {
        const auto found = index->find(known[turn++ % known.size()], timestamp_ms{0},
                                       timestamp_ms{std::numeric_limits<std::int64_t>::max()}, 32);
        HOLDFAST_CHECK(found.ok() && found->size() == 1);
    }
    state.counters["GiB_of_log"] = static_cast<double>(feed.position.value()) / (1U << 30U);
}
BENCHMARK(find_keys)->Unit(benchmark::kMicrosecond);

void hash_keys(benchmark::State& state) {
    std::string key = "7F00000100002A9F4B0C18B4AAC20000";
    for (auto _ : state) {
        ++key[10];
        benchmark::DoNotOptimize(hash_key("TopicTest", key));
    }
}
BENCHMARK(hash_keys);

// -- both, doing nothing
// --------------------------------------------------------------------------------------

void open_both(benchmark::State& state) {
    const scratch_directory home;
    ::malloc_trim(0);
    const auto before = resident_mib();
    double idle = before;
    for (auto _ : state) {
        const auto store = derived_store::open(home.path() / "derived", log_id);
        const auto index = key_index::open(home.path() / "keys", log_id);
        HOLDFAST_CHECK(store.ok() && index.ok());
        idle = resident_mib();
    }
    state.counters["rss_before_MiB"] = before;
    state.counters["rss_MiB"] = idle;
}
BENCHMARK(open_both)->Iterations(20)->UseRealTime()->Unit(benchmark::kMillisecond);

} // namespace

BENCHMARK_MAIN();
