"""What a training job owes a shared cluster, and what tells a person how jobs fare. Changes no number."""
