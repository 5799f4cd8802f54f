// The commit log on a real disk: one flush batch after the other by size and write mode (also with the
// prewriter off and busy), recovery and scan speed, look-ups in the cache.
//
//   log_bench --benchmark_min_time=1 [--directory=DIR]      (default: the current directory)
//
// The figures of this machine are in docs/files.md. The disk is shared and noisy: look at p50, run it twice.
#include "storage/log_scanner.hpp"
#include "storage/log_store.hpp"
#include "storage/posix_file_system.hpp"

#include <benchmark/benchmark.h>

#include <boost/filesystem.hpp>

#include <algorithm>
#include <chrono>
#include <string>
#include <unistd.h>

namespace holdfast::storage {
namespace {

path bench_directory = boost::filesystem::current_path();

constexpr std::uint64_t segment_size = 1ULL << 30U;

class scratch_log {
  public:
    explicit scratch_log(write_mode writes)
        : home_(bench_directory / ("log_bench-" + std::to_string(::getpid()))) {
        options_.recovery.segments = {segment_size, writes};
        boost::filesystem::remove_all(home_);
        reopen();
    }
    scratch_log(const scratch_log&) = delete;
    scratch_log& operator=(const scratch_log&) = delete;
    ~scratch_log() {
        log_.reset();
        boost::filesystem::remove_all(home_);
    }

    void reopen() {
        log_.reset();
        auto opened = log_store::open(files_, home_, options_);
        if (!opened) {
            std::fprintf(stderr, "%s\n", opened.failure().message.c_str());
            std::abort();
        }
        log_ = *std::move(opened);
        previous_checksum_ = log_->recovered().last_checksum;
        geometry_ = log_->recovered().geometry;
        next_ = log_->recovered().end;
    }

    log_store& log() { return *log_; }
    log_options& options() { return options_; }

    // One entry of `size` bytes in all, sealed anew.
    std::vector<shared_bytes> make(std::size_t size) {
        std::vector<shared_bytes> made;
        const auto place = place_entry(geometry_, next_, size);
        if (place.filler) {
            auto header = header_at(*place.filler);
            made.push_back(seal_filler(header));
            previous_checksum_ = header.checksum;
        }
        auto header = header_at(place.position);
        std::shared_ptr<std::byte[]> owner{new std::byte[size]};
        std::fill_n(owner.get(), size, std::byte{42});
        seal_entry(header, {owner.get(), size});
        previous_checksum_ = header.checksum;
        made.push_back({std::shared_ptr<const void>{owner, owner.get()}, {owner.get(), size}});
        geometry_ = place.geometry;
        next_ = header.next();
        return made;
    }

    void append(std::uint64_t bytes, std::size_t entry_size) {
        const auto last = next_ + bytes;
        while (next_ < last) {
            const auto at = log_->writer().written_until();
            std::vector<shared_bytes> batch;
            while (next_ < last && next_ - at < 1U << 20U)
                for (auto& one : make(entry_size))
                    batch.push_back(std::move(one));
            HOLDFAST_CHECK(log_->writer().write(batch, at).ok() && log_->writer().flush().ok());
        }
    }

    void wait_for_prewriter() {
        using namespace std::chrono_literals;
        log_->start_prewriting();
        const auto written = log_->segments().written();
        const auto enough = [&] {
            const auto current = log_->segments().find(written);
            return current && current->prewritten_until() + block_size >=
                                  std::min(current->last(), written + options_.prewriting.ahead_bytes);
        };
        while (!enough())
            std::this_thread::sleep_for(5ms);
    }

  private:
    entry_header header_at(log_position position) const {
        entry_header header;
        header.position = position;
        header.previous_checksum = previous_checksum_;
        header.term = term_number{1};
        header.flushed = log_->writer().flushed_until();
        header.count = 1;
        return header;
    }

    posix_file_system files_;
    const path home_;
    log_options options_;
    std::unique_ptr<log_store> log_;
    segment_geometry geometry_;
    log_position next_;
    std::uint32_t previous_checksum_ = 0;
};

void append_and_flush(benchmark::State& state, write_mode writes, bool prewriting) {
    scratch_log scratch{writes};
    if (prewriting)
        scratch.wait_for_prewriter();
    const auto size = static_cast<std::size_t>(state.range(0));
    std::vector<double> micros;
    for (auto _ : state) {
        const auto entries = scratch.make(size);
        auto& writer = scratch.log().writer();
        const auto begun = std::chrono::steady_clock::now();
        const bool done = writer.write(entries, writer.written_until()).ok() && writer.flush().ok();
        micros.push_back(
            std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begun).count());
        HOLDFAST_CHECK(done);
    }
    std::ranges::sort(micros);
    state.counters["p50_us"] = micros[micros.size() / 2];
    state.counters["p99_us"] = micros[micros.size() * 99 / 100];
    state.counters["flushes/s"] =
        benchmark::Counter(static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
    state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK_CAPTURE(append_and_flush, direct_prewriting, write_mode::direct, true)
    ->Arg(4096)
    ->Arg(65536)
    ->Arg(262144)
    ->Arg(1048576)
    ->UseRealTime();
BENCHMARK_CAPTURE(append_and_flush, buffered_prewriting, write_mode::buffered, true)
    ->Arg(4096)
    ->Arg(65536)
    ->Arg(262144)
    ->Arg(1048576)
    ->UseRealTime();
BENCHMARK_CAPTURE(append_and_flush, direct_only_reserved, write_mode::direct, false)
    ->Arg(4096)
    ->Arg(65536)
    ->Arg(262144)
    ->UseRealTime();

void scan(benchmark::State& state) {
    scratch_log scratch{write_mode::direct};
    constexpr std::uint64_t bytes = 512U << 20U;
    scratch.append(bytes, static_cast<std::size_t>(state.range(0)));
    for (auto _ : state) {
        std::uint64_t count = 0;
        const auto done = for_each_entry(scratch.log().segments(), {}, scratch.log().writer().written_until(),
                                         [&](const scanned_entry& one) -> result<void> {
                                             count += one.header.count;
                                             return {};
                                         });
        HOLDFAST_CHECK(done.ok());
        benchmark::DoNotOptimize(count);
    }
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes));
}
BENCHMARK(scan)->Arg(1200)->Arg(65536)->Arg(262144)->UseRealTime();

// A restart over `range` MiB, the derived store having applied all but the last few entries.
void restart(benchmark::State& state) {
    scratch_log scratch{write_mode::direct};
    scratch.append(static_cast<std::uint64_t>(state.range(0)) << 20U, 65536);
    scratch.options().recovery.scan_from = *[&] {
        scratch.reopen();
        return scratch.log().recovered().last_entry;
    }();
    scratch.options().recovery.durable_until = scratch.options().recovery.scan_from;
    scratch.wait_for_prewriter();
    for (auto _ : state)
        scratch.reopen();
}
BENCHMARK(restart)->Arg(64)->Arg(1500)->UseRealTime()->Unit(benchmark::kMillisecond);

void read_cold(benchmark::State& state) {
    scratch_log scratch{write_mode::direct};
    const auto size = static_cast<std::size_t>(state.range(0));
    scratch.append(256U << 20U, size);
    log_position at;
    for (auto _ : state) {
        auto entry = scratch.log().reader().read_entry(at);
        HOLDFAST_CHECK(entry.ok());
        at = log_position{align_up(at.value() + entry->size(), entry_alignment)};
        if (at >= scratch.log().writer().written_until()) {
            at = {};
            scratch.log().cache().erase_from({});
        }
    }
    state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(read_cold)->Arg(1200)->Arg(65536)->UseRealTime();

void cache_insert_and_find(benchmark::State& state) {
    entry_cache cache{128U << 20U};
    const auto entry = shared_bytes::copy_of(std::vector<std::byte>(1200));
    log_position at;
    for (auto _ : state) {
        cache.insert(at, entry);
        auto found = cache.find_containing(at + 600);
        benchmark::DoNotOptimize(found);
        at += 1216;
    }
}
BENCHMARK(cache_insert_and_find);

} // namespace
} // namespace holdfast::storage

int main(int argc, char** argv) {
    constexpr std::string_view option = "--directory=";
    for (int i = 1; i < argc; ++i)
        if (std::string_view{argv[i]}.starts_with(option)) {
            holdfast::storage::bench_directory = std::string{argv[i]}.substr(option.size());
            std::rotate(argv + i, argv + i + 1, argv + argc);
            --argc;
            break;
        }
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv))
        return 1;
    benchmark::RunSpecifiedBenchmarks();
    return 0;
}
