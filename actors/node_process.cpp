#include "actors/node_process.hpp"

#include "broker/log_clock.hpp"

#include <algorithm>
#include <caf/all.hpp>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <malloc.h>
#include <memory>
#include <thread>

namespace holdfast::actors {
namespace {

std::chrono::microseconds wall_time() {
    return std::chrono::duration_cast<std::chrono::microseconds>(
        std::chrono::system_clock::now().time_since_epoch());
}

std::chrono::microseconds steady_time() {
    return std::chrono::duration_cast<std::chrono::microseconds>(
        std::chrono::steady_clock::now().time_since_epoch());
}

} // namespace

struct node_clock::shared_clock {
    explicit shared_clock(timestamp_ms not_before) : clock(wall_time(), steady_time(), not_before) {}
    std::mutex mutex;
    broker::log_clock clock;
};

node_clock::node_clock(timestamp_ms not_before) : shared_(std::make_shared<shared_clock>(not_before)) {}

timestamp_ms node_clock::operator()() const {
    const std::lock_guard lock{shared_->mutex};
    return shared_->clock.now(wall_time(), steady_time());
}

void node_clock::not_before(timestamp_ms written) const {
    const std::lock_guard lock{shared_->mutex};
    shared_->clock.not_before(written, wall_time(), steady_time());
}

void tune_allocator() {
    mallopt(M_MMAP_THRESHOLD, 32 << 20);
    mallopt(M_TRIM_THRESHOLD, 64 << 20);
    mallopt(M_ARENA_MAX, 4);
}

sigset_t block_signals() {
    std::signal(SIGPIPE, SIG_IGN);
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, start_over_signal);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    return signals;
}

void announce(const config::node_config& config, std::uint16_t broker_port, std::uint16_t namesrv_port) {
    const auto bound = config.bind_address + ":" + std::to_string(namesrv_port);
    // What is bound everywhere is reached under the name that routes give.
    const auto names = config.bind_address == "0.0.0.0"
                           ? config.advertised_address + ":" + std::to_string(namesrv_port)
                           : bound;
    const auto where = names == "127.0.0.1:9876" ? std::string{} : " -n " + names; // the commands' default
    std::printf("ready: name service %s, broker %s:%u\n"
                "  send:     %s send hello 'my first message'%s\n"
                "  consume:  %s consume hello --from first%s\n"
                "  clients:  point any RocketMQ client at the name server %s\n",
                bound.c_str(), config.bind_address.c_str(), unsigned{broker_port}, program_invocation_name,
                where.c_str(), program_invocation_name, where.c_str(), names.c_str());
    std::fflush(stdout);
}

void configure(caf::actor_system_config& settings, const config::node_config& config) {
    // With "stealing" a message can wait for 10 ms behind a busy sender.
    settings.set("scheduler.policy", caf::atom("sharing"));
    const auto workers = config.worker_threads != 0
                             ? std::size_t{config.worker_threads}
                             : std::max(std::size_t{std::thread::hardware_concurrency()}, std::size_t{2});
    settings.set("scheduler.max-threads", workers);
    settings.set("scheduler.max-throughput", std::size_t{200});
}

} // namespace holdfast::actors
