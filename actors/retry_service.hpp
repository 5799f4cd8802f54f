// The retry service actor: messages that consumers give back (36). Detached, because it reads them from the
// log.
//
// In: frames of a connection. Out: the answer when the message is durable again, in the group's retry topic
// or among its dead letters. All that comes in one read of a connection goes into one entry.
#pragma once

#include "actors/messages.hpp"
#include "actors/session_environment.hpp"
#include "base/byte_buffer.hpp"
#include "broker/send_back.hpp"
#include "storage/queue_search.hpp"

#include <map>
#include <optional>
#include <vector>

namespace holdfast::actors {

class retry_service_state {
  public:
    void set_up(retry_service_actor::pointer self, std::shared_ptr<const session_environment> environment);
    void frames(const admin_job& job);
    void outcomes(const std::vector<batch_outcome>& outcomes);

  private:
    struct waiting_answer {
        protocol::answer_to to;
        bool oneway = false;
    };
    // The messages of one entry, in its order.
    struct pending_entry {
        connection_ptr connection;
        std::vector<waiting_answer> answers;
        std::size_t bytes = 0;
    };

    // False: the topic it goes to has to be made first; it is named in `missing_topic_`.
    bool handle(const admin_job& job);
    void make_topic(const std::string& topic, admin_job held);
    void append(const connection_ptr& connection);
    void entry_ended(const pending_entry& entry, const batch_outcome& outcome);
    void refuse(const protocol::answer_to& to, bool oneway, protocol::response_code code,
                std::string_view why);

    retry_service_actor::pointer self_ = nullptr;
    std::shared_ptr<const session_environment> environment_;
    std::optional<storage::queue_search> search_;
    protocol::remoting_command command_;

    broker::entry_draft draft_;
    pending_entry gathering_;
    byte_buffer answers_;
    std::string missing_topic_;
    std::map<std::uint64_t, pending_entry> in_flight_;
    std::map<std::uint64_t, std::vector<admin_job>> creations_; // what waits for a topic to be made
    std::map<std::string, std::uint64_t> being_made_;           // the topics, and which creation that is
    std::uint64_t next_ticket_ = 1;
    std::uint32_t spread_ = 0;
};

retry_service_actor::behavior_type
retry_service(retry_service_actor::stateful_pointer<retry_service_state> self,
              std::shared_ptr<const session_environment> environment);

} // namespace holdfast::actors
