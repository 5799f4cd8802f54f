// One member of a consumer group as a process (consumer_main.cpp), so that it can die as real ones do: with
// what it has fetched, held and not yet committed, and without a word to the broker.
#pragma once

#include "tests/crash/ledger.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <thread>

#include <sys/types.h>

namespace holdfast::crash {

// What a member says of a message: at its delivery acknowledged, sent back or held; and later, of what it
// held, acknowledged_later.
enum class word : char { acknowledged = 'a', sent_back = 's', held = 'h', acknowledged_later = 'A' };

struct told_delivery {
    word says = word::acknowledged;
    queue_place from;
    std::int64_t offset = -1;
    std::int64_t began_ns = 0; // of the listener's call; the same clock in all processes
    std::int64_t ended_ns = 0;
    std::string body{};
};

enum class member_mode : std::uint8_t {
    restless, // sends back and holds a part
    calm,
    ordered,
};

class consumer_process {
  public:
    // Told on a thread of its own, before the broker hears it.
    using listener = std::function<void(const told_delivery&)>;

    // It dies with the thread that makes it. `client_id` may be empty.
    consumer_process(const std::string& name_servers, const std::string& group, const std::string& topic,
                     const std::string& client_id, member_mode mode, listener told);
    consumer_process(const consumer_process&) = delete;
    consumer_process& operator=(const consumer_process&) = delete;
    ~consumer_process() { kill(); }

    // kill -9; what it had said is told when this returns.
    void kill();
    // It leaves the group and ends. Whether the broker answered everything on the way.
    bool leave();

  private:
    void read(int output);
    int wait();

    const listener told_;
    pid_t pid_ = -1;
    int input_ = -1;
    std::thread reader_;
};

} // namespace holdfast::crash
