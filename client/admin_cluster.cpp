#include "client/admin_engine.hpp"

namespace holdfast::client {

result<protocol::cluster_status> admin::cluster_status() {
    using protocol::cluster_status;
    return engine_->ask_name_server<cluster_status>(
        protocol::cluster_status_request{}, [](const call_outcome& outcome) -> result<cluster_status> {
            if (!outcome.ok())
                return to_error(outcome);
            return protocol::decode_cluster_status(outcome.reply->command().body());
        });
}

} // namespace holdfast::client
