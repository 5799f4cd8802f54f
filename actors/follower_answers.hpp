// What a node that does not lead its group answers to one connection's requests that are the leader's.
//
// Most are refused with code 14, after which stock clients try another broker or ask for a new route
// (protocol reference 2, 6). Offsets are not refused but met with silence and a closed connection: every
// error code of 14 would mean "no offset is stored" to them, and they would skip what the group has not read
// (trap T1). Code 21 is never said (T2).
//
// With slaveReadEnable it serves pulls, and looks up messages by id and by key (12, 33): readers do, below
// what is committed here. A pull that it can't serve is never refused, since clients repeat a failed pull at
// the same broker: it is answered with nothing, and with the leader's id. The same after a while in any case
// (follower_stays). Offsets that pulls carry are not stored. What heartbeats say of subscriptions is kept for
// the pulls of this connection, which need not repeat it, and for nothing else.
#pragma once

#include "actors/follower_stays.hpp"
#include "actors/limits.hpp"
#include "actors/messages.hpp"
#include "actors/pulled_topics.hpp"
#include "actors/session_environment.hpp"

#include <map>
#include <string>
#include <utility>

namespace holdfast::actors {

// On the network's thread that the connection belongs to.
class follower_answers {
  public:
    follower_answers(connection_ptr connection, std::shared_ptr<const session_environment> environment);

    void answer(const session_frames& frames);

  private:
    struct heard_subscription {
        std::int64_t version = 0;
        protocol::tag_filter filter;
    };

    [[nodiscard]] bool serves_reads() const;
    // False: the connection is closed.
    bool answer(const network::frame_batch& frames, std::uint32_t index);
    void to_reader(const network::frame_batch& frames, std::uint32_t index);
    void answer_for_busy_readers();
    void prepare_pull(read_job& job);
    void note_subscriptions();
    void refuse(std::string_view remark);
    void send_answers();

    const connection_ptr connection_;
    const std::shared_ptr<const session_environment> environment_;
    protocol::remoting_command command_;
    byte_buffer answers_;
    std::map<std::pair<std::string, std::string>, heard_subscription> heard_; // by group and topic
    follower_stays stays_;
    pulled_topics pulled_{limits::max_pulled_queues};
    std::size_t next_reader_ = 0;
    reader_load reader_load_;
};

} // namespace holdfast::actors
